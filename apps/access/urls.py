"""Routes of access."""

from rest_framework.routers import SimpleRouter

from apps.access import api

router = SimpleRouter(trailing_slash=False)
router.register("whoami", api.WhoAmIViewSet, basename="whoami")
router.register("members", api.MemberViewSet, basename="member")
router.register("service-principals", api.ServicePrincipalViewSet, basename="service-principal")
router.register("groups", api.GroupViewSet, basename="group")
router.register("tokens", api.TokenViewSet, basename="token")
router.register("resources", api.ResourceViewSet, basename="resource")
router.register("folders", api.FolderViewSet, basename="folder")
router.register("audit-entries", api.AuditEntryViewSet, basename="audit-entry")

api_urls = router.urls
