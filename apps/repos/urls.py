"""Routes of repositories."""

from rest_framework.routers import SimpleRouter

from apps.repos import api

router = SimpleRouter(trailing_slash=False)
router.register("repos", api.RepoViewSet, basename="repo")

api_urls = router.urls
