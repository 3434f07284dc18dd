"""Routes of comments."""

from django.urls import include, path
from rest_framework.routers import SimpleRouter

from apps.comments import api, pages

router = SimpleRouter(trailing_slash=False)
router.register("threads", api.ThreadViewSet, basename="thread")
router.register("comments", api.CommentViewSet, basename="comment")

api_urls = router.urls

own_urls = [
    path("<uuid:resource_id>", pages.resource, name="resource"),
    path("<uuid:resource_id>/threads", pages.threads, name="threads"),
    path("<uuid:resource_id>/preview", pages.preview, name="preview"),
    path("<uuid:resource_id>/people", pages.people, name="people"),
    path("threads/<uuid:thread_id>/reply", pages.reply, name="reply"),
    path("threads/<uuid:thread_id>/settle", pages.settle, name="settle"),
    path("one/<uuid:comment_id>", pages.comment, name="comment"),
    path("one/<uuid:comment_id>/edit", pages.edit, name="edit"),
    path("one/<uuid:comment_id>/delete", pages.delete, name="delete"),
    path("one/<uuid:comment_id>/react", pages.react, name="react"),
    path("one/<uuid:comment_id>/history", pages.history, name="history"),
]
page_urls = [path("comments/", include((own_urls, "comments")))]
