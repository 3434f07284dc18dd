"""All routes. Each room offers `api_urls` (below /api/v1/), `page_urls` (below /w/<workspace>/) and `root_urls`, where it has them."""

from importlib import import_module
from importlib.util import find_spec

from django.conf import settings
from django.urls import URLPattern, URLResolver, include, path
from drf_spectacular.views import SpectacularJSONAPIView, SpectacularSwaggerSplitView

from workspace.health import livez, readyz

ROOMS = [app for app in settings.INSTALLED_APPS if app.startswith("apps.")]


def _offered(name: str) -> list[URLPattern | URLResolver]:
    modules = [import_module(f"{room}.urls") for room in ROOMS if find_spec(f"{room}.urls")]
    return [route for module in modules for route in getattr(module, name, [])]


urlpatterns = [
    path("livez", livez),
    path("readyz", readyz),
    path("api/schema", SpectacularJSONAPIView.as_view(), name="schema"),
    path(
        "api/docs",
        SpectacularSwaggerSplitView.as_view(url_name="schema", http_method_names=["get", "head"]),
        name="docs",
    ),
    path("api/v1/", include(_offered("api_urls"))),
    path("w/<slug:workspace>/", include(_offered("page_urls"))),
    *_offered("root_urls"),
]
handler400 = "apps.foundation.http.bad_request"
handler404 = "apps.foundation.http.page_not_found"
handler500 = "apps.foundation.http.server_error"
