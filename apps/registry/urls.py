"""Routes of the registry."""

from django.urls import include, path
from rest_framework.routers import SimpleRouter

from apps.registry import api, pages

router = SimpleRouter(trailing_slash=False)
router.register("models", api.RegisteredModelViewSet, basename="registered-model")
router.register("model-versions", api.ModelVersionViewSet, basename="model-version")
router.register("transition-requests", api.TransitionRequestViewSet, basename="transition-request")

api_urls = router.urls

own_urls = [
    path("", pages.list_models, name="list"),
    path("/<str:model>", pages.detail, name="detail"),
    path("/<str:model>/history", pages.history, name="history"),
    path("/<str:model>/settings", pages.settings, name="settings"),
    path("/<str:model>/versions/<int:number>", pages.version, name="version"),
    path("/<str:model>/versions/<int:number>/file", pages.file, name="file"),
]
page_urls = [path("models", include((own_urls, "models")))]
