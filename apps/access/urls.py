"""Routes of access."""

from django.urls import include, path
from rest_framework.routers import SimpleRouter

from apps.access import api, entrance
from apps.access.pages import account, admin, sharing, things

router = SimpleRouter(trailing_slash=False)
router.register("members", api.MemberViewSet, basename="member")
router.register("service-principals", api.ServicePrincipalViewSet, basename="service-principal")
router.register("groups", api.GroupViewSet, basename="group")
router.register("tokens", api.TokenViewSet, basename="token")
router.register("resources", api.ResourceViewSet, basename="resource")
router.register("access-requests", api.AccessRequestViewSet, basename="access-request")
router.register("folders", api.FolderViewSet, basename="folder")
router.register("audit-entries", api.AuditEntryViewSet, basename="audit-entry")

whoami = api.WhoAmIViewSet.as_view({"get": "list", "patch": "partial_update"})
api_urls = [path("whoami", whoami, name="whoami-list"), *router.urls]

admin_urls = [
    path("members", admin.members, name="members"),
    path("groups", admin.groups, name="groups"),
    path("service-principals", admin.principals, name="principals"),
    path("tokens", admin.tokens, name="tokens"),
    path("audit", admin.audit, name="audit"),
    path("as-of", admin.as_of, name="as_of"),
    path("usage", admin.usage, name="usage"),
    path("workspace", admin.workspace, name="workspace"),
]
own_urls = [
    path("share/<uuid:resource_id>", sharing.share, name="share"),
    path("share/<uuid:resource_id>/check", sharing.check, name="check"),
    path("share/<uuid:resource_id>/preview", sharing.preview, name="preview"),
    path("ask/<uuid:resource_id>", sharing.ask, name="ask"),
    path("requests", sharing.requests, name="requests"),
    path("folders", things.folder, name="top"),
    path("folders/<uuid:resource_id>", things.folder, name="folder"),
    path("trash", things.trash, name="trash"),
    path("trash/<uuid:resource_id>", things.delete, name="delete"),
    path("describe/<uuid:resource_id>", things.describe, name="describe"),
    path("rename/<uuid:resource_id>", things.rename, name="rename"),
    path("account", account.account, name="account"),
    path("workspaces", account.workspaces, name="workspaces"),
]
page_urls = [path("admin/", include((admin_urls, "admin"))), path("", include((own_urls, "access")))]
root_urls = [
    path("", entrance.landing, name="landing"),
    path("login", entrance.login, name="login"),
    path("logout", entrance.logout, name="logout"),
    path("link/<str:raw>", entrance.link, name="link"),
    path("login/forgotten", entrance.forgotten, name="forgotten"),
    path("reset/<str:raw>", entrance.reset, name="reset"),
    path("setup", entrance.setup, name="setup"),
]
