"""Routes of tables."""

from django.urls import include, path
from rest_framework.routers import SimpleRouter

from apps.tables import api, list_pages, pages, upload_pages

router = SimpleRouter(trailing_slash=False)
router.register("catalogs", api.CatalogViewSet, basename="catalog")
router.register("schemas", api.SchemaViewSet, basename="schema")
router.register("tables", api.TableViewSet, basename="table")
router.register("table-writes", api.TableWriteViewSet, basename="table-write")

api_urls = router.urls

own_urls = [
    path("", list_pages.list_tables, name="list"),
    path("/upload", upload_pages.upload, name="upload"),
    path("/writes/<uuid:write_id>", upload_pages.write, name="write"),
    path("/writes/<uuid:write_id>/bad-rows", upload_pages.bad_rows, name="bad_rows"),
    path("/<str:name>", pages.detail, name="detail"),
    path("/<str:name>/sample", pages.sample, name="sample"),
    path("/<str:name>/history", pages.versions, name="history"),
    path("/<str:name>/row", pages.row, name="row"),
    path("/<str:name>/uses", pages.uses, name="uses"),
    path("/<str:name>/use", pages.use, name="use"),
    path("/<str:name>/settings", pages.settings, name="settings"),
]
page_urls = [path("tables", include((own_urls, "tables")))]
