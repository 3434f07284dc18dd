"""Routes of deployments."""

from rest_framework.routers import SimpleRouter

from apps.deployments import api

router = SimpleRouter(trailing_slash=False)
router.register("endpoints", api.EndpointViewSet, basename="endpoint")

api_urls = router.urls
