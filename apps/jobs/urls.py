"""Routes of jobs."""

from django.urls import include, path
from rest_framework.routers import SimpleRouter

from apps.jobs import api, pages

router = SimpleRouter(trailing_slash=False)
router.register("jobs", api.JobViewSet, basename="job")
router.register("job-runs", api.JobRunViewSet, basename="job-run")
router.register("guest", api.GuestViewSet, basename="guest")

api_urls = router.urls

_pages = [
    path("", pages.list_jobs, name="list"),
    path("new", pages.new, name="new"),
    path("act", pages.act, name="act"),
    path("workers", pages.workers, name="workers"),
    path("runs/<uuid:run_id>", pages.run, name="run"),
    path("runs/<uuid:run_id>/log", pages.log, name="log"),
    path("runs/<uuid:run_id>/cancel", pages.cancel, name="cancel"),
    path("runs/<uuid:run_id>/retry", pages.retry, name="retry"),
    path("runs/<uuid:run_id>/again", pages.again, name="again"),
    path("<uuid:job_id>", pages.detail, name="detail"),
    path("<uuid:job_id>/settings", pages.settings, name="settings"),
    path("<uuid:job_id>/changes", pages.history, name="history"),
    path("<uuid:job_id>/start", pages.start, name="start"),
]
page_urls = [path("jobs/", include((_pages, "jobs")))]
