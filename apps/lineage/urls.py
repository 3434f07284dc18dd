"""Routes of lineage."""

from django.urls import include, path
from rest_framework.routers import SimpleRouter

from apps.lineage import api, pages

router = SimpleRouter(trailing_slash=False)
router.register("lineage-graph", api.LineageGraphViewSet, basename="lineage-graph")

api_urls = router.urls
page_urls = [path("lineage", include(([path("", pages.lineage, name="list")], "lineage")))]
