"""Routes of repositories."""

from django.urls import include, path
from rest_framework.routers import SimpleRouter

from apps.repos import api, pages

router = SimpleRouter(trailing_slash=False)
router.register("repos", api.RepoViewSet, basename="repo")

api_urls = router.urls

own_urls = [
    path("", pages.list_repos, name="list"),
    path("/<uuid:repo_id>", pages.files, name="files"),
    path("/<uuid:repo_id>/raw", pages.raw, name="raw"),
    path("/<uuid:repo_id>/commits", pages.commits, name="commits"),
    path("/<uuid:repo_id>/compare", pages.compare, name="compare"),
    path("/<uuid:repo_id>/branches", pages.branches, name="branches"),
    path("/<uuid:repo_id>/settings", pages.settings, name="settings"),
    path("/<path:place>", pages.by_path, name="by-path"),
]
page_urls = [path("repos", include((own_urls, "repos")))]
