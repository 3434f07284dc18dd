"""Routes of lineage."""

from rest_framework.routers import SimpleRouter

from apps.lineage import api

router = SimpleRouter(trailing_slash=False)
router.register("lineage-graph", api.LineageGraphViewSet, basename="lineage-graph")

api_urls = router.urls
