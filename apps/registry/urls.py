"""Routes of the registry."""

from rest_framework.routers import SimpleRouter

from apps.registry import api

router = SimpleRouter(trailing_slash=False)
router.register("models", api.RegisteredModelViewSet, basename="registered-model")
router.register("model-versions", api.ModelVersionViewSet, basename="model-version")

api_urls = router.urls
