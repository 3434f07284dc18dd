"""What happened to a model's versions: registered, moved, asked, aliased, served; one list, newest first."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import chain

from apps.access.actor import Actor
from apps.registry import queries, serving, stages
from apps.registry.models import ModelVersion, RegisteredModel, TransitionRequest
from apps.registry.requests import requests_of

MOST = 200
KINDS = ("versions", "stages", "requests", "aliases", "deploys")


@dataclass(frozen=True)
class Moment:
    """One thing that happened to a version. `who` is empty for what nobody did by hand; `path` leads to another thing's page."""

    at: datetime
    kind: str
    version: int
    who: str
    text: str
    stage: str = ""
    comment: str = ""
    path: str = ""


def moments(
    actor: Actor, model: RegisteredModel, version: ModelVersion | None = None, kind: str = "", most: int = MOST
) -> list[Moment]:
    """The newest moments of a model, or of one of its versions; `kind` narrows to one of KINDS."""
    sources = {
        "versions": _registered(model, version, most),
        "stages": _moved(model, version, most),
        "requests": _asked(model, version, most),
        "aliases": _named(model, version, most),
        "deploys": _served(actor, model, version, most),
    }
    chosen = [sources[kind]] if kind in sources else list(sources.values())
    return sorted(chain.from_iterable(chosen), key=lambda moment: moment.at, reverse=True)[:most]


def _registered(model: RegisteredModel, version: ModelVersion | None, most: int) -> Iterator[Moment]:
    rows = ModelVersion.objects.filter(model=model, **({"pk": version.pk} if version else {}))
    for row in rows.order_by("-version")[:most]:
        yield Moment(row.created_at, "versions", row.version, row.created_label, f"registered v{row.version}")
        if row.deleted_at:
            yield Moment(row.deleted_at, "versions", row.version, "", f"v{row.version} was deleted")


def _moved(model: RegisteredModel, version: ModelVersion | None, most: int) -> Iterator[Moment]:
    rows = queries.stage_history(model)
    rows = rows.filter(version=version) if version else rows
    for row in rows.order_by("-valid_from", "-id")[:most]:
        number = row.version.version
        # the first period began with the version, which is told by itself
        if row.stage != stages.NONE or row.valid_from - row.version.created_at > timedelta(seconds=1):
            yield Moment(
                row.valid_from, "stages", number, row.actor_label, f"moved v{number} to", row.stage, row.comment
            )


def _asked(model: RegisteredModel, version: ModelVersion | None, most: int) -> Iterator[Moment]:
    rows = requests_of(model)
    rows = rows.filter(version=version) if version else rows
    answers = {
        TransitionRequest.State.APPROVED: "approved the request to move v{} to",
        TransitionRequest.State.REJECTED: "rejected the request to move v{} to",
        TransitionRequest.State.CANCELLED: "took back the request to move v{} to",
    }
    for row in rows.order_by("-created_at", "-id")[:most]:
        number = row.version.version
        yield Moment(
            row.created_at, "requests", number, row.author_label, f"asked to move v{number} to", row.stage, row.comment
        )
        if row.answered_at and row.state in answers:
            text = answers[TransitionRequest.State(row.state)].format(number)
            yield Moment(row.answered_at, "requests", number, row.answer_label, text, row.stage, row.answer_comment)


def _named(model: RegisteredModel, version: ModelVersion | None, most: int) -> Iterator[Moment]:
    rows = queries.alias_history(model)
    rows = rows.filter(version=version) if version else rows
    for row in rows.order_by("-valid_from", "-id")[:most]:
        number = row.version.version
        yield Moment(row.valid_from, "aliases", number, row.actor_label, f"pointed @{row.name} at v{number}")
        if row.valid_to:
            yield Moment(row.valid_to, "aliases", number, "", f"@{row.name} left v{number}")


def _served(actor: Actor, model: RegisteredModel, version: ModelVersion | None, most: int) -> Iterator[Moment]:
    numbers = {str(pk): number for pk, number in ModelVersion.objects.filter(model=model).values_list("pk", "version")}
    for row in serving.served_before(actor, model, most):
        if row.version_id in numbers and (version is None or row.version_id == str(version.pk)):
            number = numbers[row.version_id]
            text = f"began to serve v{number}" if row.began else f"stopped serving v{number}"
            yield Moment(row.at, "deploys", number, "", f"{row.name} {text}", path=row.path)
