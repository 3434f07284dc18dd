"""Routes of notifications and activity."""

from django.urls import include, path
from rest_framework.routers import SimpleRouter

from apps.notifications import api, pages

router = SimpleRouter(trailing_slash=False)
router.register("notices", api.NoticeViewSet, basename="notice")
router.register("watches", api.WatchViewSet, basename="watch")
router.register("notice-preferences", api.PreferenceViewSet, basename="notice-preference")
router.register("activity", api.ActivityViewSet, basename="activity")

api_urls = router.urls

inbox_urls = [
    path("", pages.inbox_page, name="inbox"),
    path("bell", pages.bell, name="bell"),
    path("latest", pages.latest, name="latest"),
    path("read-all", pages.read_all, name="read-all"),
    path("settings", pages.settings, name="settings"),
    path("watch/<uuid:resource_id>", pages.watch, name="watch"),
    path("<uuid:notice_id>", pages.follow, name="notice"),
    path("<uuid:notice_id>/mark", pages.mark, name="mark"),
]
activity_urls = [
    path("", pages.workspace_activity, name="workspace"),
    path("<uuid:resource_id>", pages.resource_activity, name="resource"),
]
page_urls = [
    path("notifications/", include((inbox_urls, "notifications"))),
    path("activity/", include((activity_urls, "activity"))),
]
