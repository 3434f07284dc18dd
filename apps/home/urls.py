"""Routes of home."""

from django.conf import settings
from django.urls import include, path
from rest_framework.routers import SimpleRouter

from apps.home import api, pages

router = SimpleRouter(trailing_slash=False)
router.register("stars", api.StarViewSet, basename="star")
router.register("recents", api.RecentViewSet, basename="recent")

api_urls = router.urls
page_urls = [
    path(
        "",
        include(
            (
                [
                    path("", pages.front, name="front"),
                    path("search", pages.search, name="search"),
                    path("stars/<uuid:resource_id>", pages.star, name="star"),
                    *([path("ui/", pages.gallery, name="gallery")] if settings.DEVELOPMENT else []),
                ],
                "home",
            )
        ),
    )
]
