"""Routes of jobs."""

from rest_framework.routers import SimpleRouter

from apps.jobs import api

router = SimpleRouter(trailing_slash=False)
router.register("jobs", api.JobViewSet, basename="job")
router.register("job-runs", api.JobRunViewSet, basename="job-run")
router.register("guest", api.GuestViewSet, basename="guest")

api_urls = router.urls
