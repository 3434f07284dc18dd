"""Routes of deployments."""

from django.urls import include, path
from rest_framework.routers import SimpleRouter

from apps.deployments import api, new_pages, pages

router = SimpleRouter(trailing_slash=False)
router.register("endpoints", api.EndpointViewSet, basename="endpoint")

api_urls = router.urls

_pages = [
    path("", pages.list_endpoints, name="list"),
    path("/new", new_pages.new, name="new"),
    path("/<uuid:endpoint_id>", pages.detail, name="detail"),
    path("/<uuid:endpoint_id>/playground", pages.try_it, name="playground"),
    path("/<uuid:endpoint_id>/score", pages.score, name="score"),
    path("/<uuid:endpoint_id>/requests", pages.requests, name="requests"),
    path("/<uuid:endpoint_id>/requests/<uuid:request_id>", pages.one_request, name="request"),
    path("/<uuid:endpoint_id>/configs", pages.configs, name="configs"),
    path("/<uuid:endpoint_id>/log", pages.log, name="log"),
    path("/<uuid:endpoint_id>/settings", pages.settings, name="settings"),
    path("/<str:name>", pages.by_name, name="by-name"),
]
page_urls = [path("endpoints", include((_pages, "deployments")))]
