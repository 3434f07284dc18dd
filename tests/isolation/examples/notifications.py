"""Examples of notices, watches, preferences and activity."""

from __future__ import annotations

from apps.access.levels import Level
from apps.notifications import operations, telling
from apps.notifications.models import Notice
from tests.builders import Side, a_folder
from tests.isolation.kit import Example, Made

V1 = "/api/v1"


def told(side: Side) -> Made:
    """A folder of which the admin was told, and that they watch."""
    folder = a_folder(side.admin)
    operations.watch(actor=side.admin, resource=folder)
    telling.notify([side.admin.user], kind="comment", thing=folder, text="commented on {thing}", url="folders")
    return {"thing": folder, "notice": Notice.objects.get()}


def of(route: str, method: str, path: str, **more) -> Example:  # type: ignore[no-untyped-def]
    return Example(
        route,
        method,
        lambda made: V1 + path.format(thing=made["thing"].pk, notice=made["notice"].pk),
        setup=told,
        **more,
    )


def watched(made: Made) -> dict[str, str]:
    return {"resource_id": str(made["thing"].pk)}


def chosen(made: Made) -> dict[str, list[str]]:
    return {"off": ["stage"], "mail": ["mention"]}


EXAMPLES = [
    of("notice-list", "GET", "/notices", filtered=True),
    of("notice-unread", "GET", "/notices/unread"),
    of("notice-read-all", "POST", "/notices/read-all"),
    of("notice-read", "POST", "/notices/{notice}/read"),
    of("notice-mark-unread", "POST", "/notices/{notice}/mark-unread"),
    of("watch-detail", "DELETE", "/watches/{thing}", ok=204),
    of("watch-list", "GET", "/watches", filtered=True),
    of("watch-list", "POST", "/watches", needs=Level.VIEW, body=watched, ok=201),
    of("notice-preference-list", "GET", "/notice-preferences"),
    of("notice-preference-list", "POST", "/notice-preferences", body=chosen),
    of("activity-list", "GET", "/activity", filtered=True),
]
