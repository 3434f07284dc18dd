"""Routes of tables."""

from rest_framework.routers import SimpleRouter

from apps.tables import api

router = SimpleRouter(trailing_slash=False)
router.register("catalogs", api.CatalogViewSet, basename="catalog")
router.register("schemas", api.SchemaViewSet, basename="schema")
router.register("tables", api.TableViewSet, basename="table")
router.register("table-writes", api.TableWriteViewSet, basename="table-write")

api_urls = router.urls
