"""Routes of access."""

from django.urls import include, path
from rest_framework.routers import SimpleRouter

from apps.access import api, entrance, pages

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

admin_urls = [
    path("members", pages.members, name="members"),
    path("groups", pages.groups, name="groups"),
    path("service-principals", pages.principals, name="principals"),
    path("tokens", pages.tokens, name="tokens"),
    path("audit", pages.audit, name="audit"),
]
own_urls = [
    path("share/<uuid:resource_id>", pages.share, name="share"),
    path("share/<uuid:resource_id>/check", pages.check, name="check"),
    path("folders", pages.folder, name="top"),
    path("folders/<uuid:resource_id>", pages.folder, name="folder"),
    path("trash", pages.trash, name="trash"),
    path("trash/<uuid:resource_id>", pages.delete, name="delete"),
    path("describe/<uuid:resource_id>", pages.describe, name="describe"),
    path("rename/<uuid:resource_id>", pages.rename, name="rename"),
    path("account", pages.account, name="account"),
    path("workspaces", pages.workspaces, name="workspaces"),
]
page_urls = [path("admin/", include((admin_urls, "admin"))), path("", include((own_urls, "access")))]
root_urls = [
    path("", entrance.landing, name="landing"),
    path("login", entrance.login, name="login"),
    path("logout", entrance.logout, name="logout"),
    path("link/<str:raw>", entrance.link, name="link"),
    path("setup", entrance.setup, name="setup"),
]
