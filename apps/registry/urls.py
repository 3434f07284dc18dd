"""Routes of the registry."""

from django.urls import include, path
from rest_framework.routers import SimpleRouter

from apps.registry import api, pages, version_pages

router = SimpleRouter(trailing_slash=False)
router.register("models", api.RegisteredModelViewSet, basename="registered-model")
router.register("model-versions", api.ModelVersionViewSet, basename="model-version")
router.register("transition-requests", api.TransitionRequestViewSet, basename="transition-request")

api_urls = router.urls

own_urls = [
    path("", pages.list_models, name="list"),
    path("/<str:model>", pages.detail, name="detail"),
    path("/<str:model>/requests", pages.asked, name="requests"),
    path("/<str:model>/requests/<uuid:request_id>", version_pages.answer, name="answer"),
    path("/<str:model>/history", pages.history, name="history"),
    path("/<str:model>/settings", pages.settings, name="settings"),
    path("/<str:model>/compare", version_pages.compare, name="compare"),
    path("/<str:model>/versions/<int:number>", version_pages.version, name="version"),
    path("/<str:model>/versions/<int:number>/schema", version_pages.schema, name="schema"),
    path("/<str:model>/versions/<int:number>/artifacts", version_pages.files, name="files"),
    path("/<str:model>/versions/<int:number>/activity", version_pages.activity, name="activity"),
    path("/<str:model>/versions/<int:number>/file", version_pages.file, name="file"),
]
page_urls = [path("models", include((own_urls, "models")))]
