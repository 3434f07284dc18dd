"""Routes of repositories."""

from django.urls import include, path
from rest_framework.routers import SimpleRouter

from apps.repos import api, checkout_pages, file_pages, history_pages, pages, remote_pages

router = SimpleRouter(trailing_slash=False)
router.register("repos", api.RepoViewSet, basename="repo")

api_urls = router.urls

own_urls = [
    path("", pages.list_repos, name="list"),
    path("/<uuid:repo_id>", file_pages.files, name="files"),
    path("/<uuid:repo_id>/tree", file_pages.tree, name="tree"),
    path("/<uuid:repo_id>/find", file_pages.find, name="find"),
    path("/<uuid:repo_id>/raw", file_pages.raw, name="raw"),
    path("/<uuid:repo_id>/commits", history_pages.commits, name="commits"),
    path("/<uuid:repo_id>/line", history_pages.line_talk, name="line"),
    path("/<uuid:repo_id>/compare", history_pages.compare, name="compare"),
    path("/<uuid:repo_id>/branches", pages.branches, name="branches"),
    path("/<uuid:repo_id>/settings", pages.settings, name="settings"),
    path("/<uuid:repo_id>/branch-menu", checkout_pages.branch_menu, name="branch-menu"),
    path("/<uuid:repo_id>/commit", checkout_pages.commit, name="commit"),
    path("/<uuid:repo_id>/sync", remote_pages.sync, name="sync"),
    path("/<uuid:repo_id>/fetch", remote_pages.fetch, name="fetch"),
    path("/<uuid:repo_id>/cancel-sync", remote_pages.cancel, name="cancel-sync"),
    *(
        path(f"/<uuid:repo_id>/{name}", getattr(checkout_pages, name), name=name)
        for name in ("switch", "pull", "push", "rename", "remove", "discard", "create", "upload")
    ),
    path("/<path:place>", pages.by_path, name="by-path"),
]
page_urls = [path("repos", include((own_urls, "repos")))]
