"""What an audit entry means to whom: the rules by which entries of lower rooms become notices. Rooms above call `notify` themselves.

A rule runs in a task after the entry is committed, inside the workspace's scope, and gives tellings, the most personal first: whoever
is told by one of them is not told again by the next.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from apps.access.kinds import page_path
from apps.access.levels import Level
from apps.access.models import AuditEntry, GroupMember, Resource
from apps.access.queries import find_accounts, who_may
from apps.foundation.ids import parse_id
from apps.notifications.models import Watch


@dataclass(frozen=True)
class Telling:
    """Something to tell some people (ids): see models.Notice for what the words mean."""

    kind: str
    people: Iterable[Any]
    text: str
    label: str
    url: str
    about: str = ""
    detail: str = ""
    level: Level | None = Level.VIEW


Rule = Callable[[AuditEntry, Resource], list[Telling]]
RULES: dict[str, Rule] = {}


def rule(*verbs: str) -> Callable[[Rule], Rule]:
    """Make a function the rule of these verbs."""

    def keep(function: Rule) -> Rule:
        RULES.update(dict.fromkeys(verbs, function))
        return function

    return keep


def watchers(resource: Resource) -> set[Any]:
    """Whoever watches a resource, and its owner unless they do not want to."""
    watches = dict(Watch.objects.filter(resource=resource).values_list("user_id", "muted"))
    wanting = {user_id for user_id, muted in watches.items() if not muted}
    return wanting | ({resource.owner_id} - set(watches) - {None})


@rule("comments.start_thread", "comments.reply", "comments.edit_comment")
def _said(entry: AuditEntry, resource: Resource) -> list[Telling]:
    told = entry.after
    if "mentioned" not in told:
        return []
    where: Any = {
        "label": entry.thing_label,
        "url": f"comments/one/{told['comment']}",
        "about": f"comment:{told['comment']}",
    }
    groups = GroupMember.objects.filter(group__in=told["groups"]).values_list("user_id", flat=True)
    named = {parse_id(person) for person in told["mentioned"]} | set(groups)
    tellings = [Telling("mention", named, "mentioned you in {thing}", **where)]
    if entry.verb != "comments.edit_comment":
        taking_part = {parse_id(person) for person in told["participants"]}
        tellings += [
            Telling("reply", taking_part, "replied in {thing}", **where),
            Telling("comment", watchers(resource), "commented on {thing}", **where),
        ]
    return tellings


@rule("access.request_access")
def _access_asked(entry: AuditEntry, resource: Resource) -> list[Telling]:
    text = f"asks for can {entry.after['level']} on {{thing}}"
    deciding, reason = who_may(resource, Level.MANAGE), entry.comment
    return [Telling("access_request", deciding, text, resource.name, "requests", detail=reason, level=Level.MANAGE)]


@rule("access.grant_access_request", "access.decline_access_request")
def _access_answered(entry: AuditEntry, resource: Resource) -> list[Telling]:
    granted = entry.verb == "access.grant_access_request"
    text = f"gave you can {entry.after['level']} on {{thing}}" if granted else "declined your request for {thing}"
    # Theirs whatever they may view: they knew of it when they asked.
    where: Any = {"label": resource.name, "url": page_path(resource), "detail": entry.comment, "level": None}
    return [Telling("access_answer", find_accounts(entry.after["grantee"]), text, **where)]


@rule("jobs.run_ended")
def _run_ended(entry: AuditEntry, resource: Resource) -> list[Telling]:
    if entry.after.get("state") not in ("failed", "lost"):
        return []
    mine = {parse_id(entry.after.get("user"))} - {None}
    text = "{thing} failed" if entry.after["state"] == "failed" else "{thing} was lost"
    return [Telling("job_failed", mine, text, entry.thing_label, page_path(resource, f"run:{entry.thing_id}"))]


@rule("registry.move_to_stage")
def _moved(entry: AuditEntry, resource: Resource) -> list[Telling]:
    stage, before = entry.after.get("stage"), entry.before.get("stage")
    if stage == before:
        return []
    number = entry.after.get("version")
    label = f"{resource.name} v{number}"
    return [
        Telling(
            "stage", watchers(resource), f"moved {{thing}} to {stage}", label, page_path(resource, f"version:{number}")
        )
    ]


@rule("deployments.stopped_answering")
def _unhealthy(entry: AuditEntry, resource: Resource) -> list[Telling]:
    return [
        Telling(
            "endpoint_unhealthy", watchers(resource), "{thing} stopped answering", resource.name, page_path(resource)
        )
    ]
