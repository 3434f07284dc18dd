"""Routes of home."""

from django.conf import settings
from django.urls import include, path

from apps.home import pages

page_urls = [
    path(
        "",
        include(
            (
                [
                    path("", pages.front, name="front"),
                    path("search", pages.search, name="search"),
                    *([path("ui/", pages.gallery, name="gallery")] if settings.DEVELOPMENT else []),
                ],
                "home",
            )
        ),
    )
]
