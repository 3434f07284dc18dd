"""What people do about stages beyond moving a version: ask for a move, answer, roll back, say who keeps a gate."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from apps.access import audit, resources
from apps.access.actor import Actor
from apps.access.kinds import page_path
from apps.access.levels import Level
from apps.access.models import User
from apps.access.operation import operation
from apps.access.policy import authorise
from apps.access.queries import find_grantee
from apps.foundation.clock import now
from apps.foundation.errors import AlreadyExists, Conflict, Forbidden, Invalid, NotFound, Stale
from apps.notifications.telling import notify
from apps.registry import gates, queries, stages
from apps.registry.models import Gatekeeper, ModelVersion, RegisteredModel, StageGate, TransitionRequest
from apps.registry.operations import again, enter

COMMENT_MAX = 5_000
KEEPERS_MAX = 50
State = TransitionRequest.State


@operation(needs=Level.USE, on="model")
def request_transition(
    *,
    actor: Actor,
    model: RegisteredModel,
    version: ModelVersion,
    stage: str,
    comment: str = "",
    archive_existing: bool = True,
) -> TransitionRequest:
    """Ask that a version is moved to a stage; whoever passes its gate and is not the asker answers."""
    version, stage = again(model, version), stages.canonical(stage)
    if version.stage == stage:
        raise Conflict(f"Version {version.version} is in {stage} already.", code="unchanged")
    asked = TransitionRequest(
        version=version,
        stage=stage,
        from_stage=version.stage,
        archive_existing=archive_existing and stage in stages.SERVING,
        comment=_comment(comment),
        author=actor.user,
        author_label=actor.label,
    )
    if version.requests.filter(stage=stage, author=actor.user, state=State.WAITING).exists():
        raise AlreadyExists(f"You asked to move version {version.version} to {stage} already; that request waits.")
    asked.save(force_insert=True)
    audit.record(
        actor,
        "registry.request_transition",
        version,
        before={"stage": version.stage},
        after={"stage": stage, "version": version.version, "request": asked.pk},
        comment=comment,
    )
    notify(
        gates.deciders(model, version.stage, stage),
        kind="transition_request",
        thing=version,
        text=f"asks you to move {{thing}} to {stage}",
        url=_page(version),
        actor=actor,
        label=_label(version),
        detail=comment,
        level=Level.EDIT,
    )
    resources.touch(model.resource)
    return asked


@operation(needs=Level.EDIT, on="model")
def approve_transition(
    *,
    actor: Actor,
    model: RegisteredModel,
    request: TransitionRequest,
    comment: str = "",
    archive_existing: bool | None = None,
) -> TransitionRequest:
    """Approve a request and move the version, at once. Never for the one who asked."""
    request = _waiting(model, request)
    version = request.version
    gates.require(actor, model, version.stage, request.stage)
    _not_the_author(actor, request)
    request.close(State.APPROVED, actor.label, _comment(comment))
    archives = request.archive_existing if archive_existing is None else archive_existing
    archives = archives and request.stage in stages.SERVING
    enter(actor, version, request.stage, comment or request.comment, archive_existing=archives)
    _record(actor, "registry.approve_transition", request, comment)
    _answered(actor, request, comment)
    return request


@operation(needs=Level.EDIT, on="model")
def reject_transition(
    *, actor: Actor, model: RegisteredModel, request: TransitionRequest, comment: str = ""
) -> TransitionRequest:
    """Turn a request down; needs what approving it needs."""
    request = _waiting(model, request)
    gates.require(actor, model, request.version.stage, request.stage)
    _not_the_author(actor, request)
    request.close(State.REJECTED, actor.label, _comment(comment))
    _record(actor, "registry.reject_transition", request, comment)
    _answered(actor, request, comment)
    return request


@operation(needs=Level.VIEW, on="model")
def cancel_transition(
    *, actor: Actor, model: RegisteredModel, request: TransitionRequest, comment: str = ""
) -> TransitionRequest:
    """Take back a request of one's own; whoever manages the model takes back those of others."""
    request = _waiting(model, request)
    if request.author_id is None or request.author_id != actor.user_id:
        authorise(actor, Level.MANAGE, model)
    request.close(State.CANCELLED, actor.label, _comment(comment))
    _record(actor, "registry.cancel_transition", request, comment)
    return request


@operation(needs=Level.EDIT, on="model")
def roll_back(*, actor: Actor, model: RegisteredModel, to: ModelVersion, comment: str = "") -> ModelVersion:
    """Put the version that was in Production before back there and archive what is; needs the gate, but no second person."""
    back = queries.find_rollback(model)
    if back is None:
        raise Conflict(f"No other version of {model.name} was in Production before.", code="no_rollback")
    if back.pk != to.pk:
        raise Stale(f"Version {back.version} is the one to go back to now; somebody moved versions meanwhile.")
    gates.require(actor, model, back.stage, stages.PRODUCTION)
    left = list(queries.in_production(model))
    enter(actor, back, stages.PRODUCTION, _comment(comment) or "Rolled back", archive_existing=True)
    audit.record(
        actor,
        "registry.roll_back",
        back,
        before={"versions": [version.version for version in left]},
        after={"version": back.version},
        comment=comment,
    )
    return back


@operation(needs=Level.MANAGE, on="model")
def set_gate(
    *,
    actor: Actor,
    model: RegisteredModel,
    stage: str,
    level: str | None = None,
    two_people: bool | None = None,
    keepers: Sequence[str] | None = None,
) -> RegisteredModel:
    """Say who moves versions in and out of Staging or Production; what is not given stays."""
    stage, _ = stages.check_gate(stage, level or Level.EDIT.word)
    gate = gates.gates_of([model])[model.pk][stage]
    before, after = _told(gate), _told(gate)
    if level is not None:
        after["level"] = level
    if two_people is not None:
        after["two_people"] = two_people
    if {**after, "keepers": 0} != {**before, "keepers": 0}:
        StageGate.objects.filter(model=model, stage=stage, valid_to__isnull=True).update(valid_to=now())
        kept = {name: after[name] for name in ("level", "two_people")}
        StageGate(model=model, stage=stage, actor_label=actor.label, **kept).save()
    if keepers is not None:
        after["keepers"] = _keep(actor, model, stage, keepers)
    audit.record(actor, "registry.set_gate", model, before={stage: before}, after={stage: after})
    resources.touch(model.resource)
    return model


def _keep(actor: Actor, model: RegisteredModel, stage: str, names: Sequence[str]) -> list[str]:
    """Make the people and groups of these names the gatekeepers; what they are called."""
    wanted = {grantee.pk: grantee for grantee in map(_grantee, dict.fromkeys(names))}
    if len(wanted) > KEEPERS_MAX:
        raise Invalid(fields={"keepers": f"At most {KEEPERS_MAX}; make a group of them."})
    have = {keeper.grantee.pk: keeper for keeper in gates.keepers_now([model.pk]).filter(stage=stage)}
    Gatekeeper.objects.filter(pk__in=[have[key].pk for key in have.keys() - wanted.keys()]).update(valid_to=now())
    for key in wanted.keys() - have.keys():
        one = wanted[key]
        which: dict[str, Any] = {"user": one} if isinstance(one, User) else {"group": one}
        Gatekeeper(model=model, stage=stage, actor_label=actor.label, **which).save()
    return sorted(gates.name_of(one) for one in wanted.values())


def _grantee(name: str) -> Any:
    try:
        return find_grantee(name.strip())
    except NotFound:
        raise Invalid(fields={"keepers": f"No member or group is called “{name[:100]}”."}) from None


def _told(gate: gates.Gate) -> dict[str, Any]:
    names = sorted(gates.name_of(one) for one in gate.keepers)
    return {"level": gate.level.word, "two_people": gate.two_people, "keepers": names}


def _waiting(model: RegisteredModel, request: TransitionRequest) -> TransitionRequest:
    """The request as it is under the model's lock. Raises Conflict when it was answered meanwhile."""
    found = TransitionRequest.objects.select_related("version").filter(pk=request.pk, version__model=model).first()
    if found is None:
        raise NotFound
    if not found.waits:
        raise Conflict(f"This request is {found.state} already, by {found.answer_label}.", code="answered")
    found.version = again(model, found.version)
    return found


def _not_the_author(actor: Actor, request: TransitionRequest) -> None:
    if request.author_id is not None and request.author_id == actor.user_id:
        raise Forbidden("The one who asked never answers: somebody else who passes the gate does.", code="author")


def _record(actor: Actor, verb: str, request: TransitionRequest, comment: str) -> None:
    after = {
        "version": request.version.version,
        "stage": request.stage,
        "request": request.pk,
        "author": request.author_label,
    }
    audit.record(
        actor,
        verb,
        request.version,
        before={"state": State.WAITING},
        after={**after, "state": request.state},
        comment=comment,
    )


def _answered(actor: Actor, request: TransitionRequest, comment: str) -> None:
    """Tell the one who asked, who heard of it by asking whatever they may see now."""
    verb = "approved" if request.state == State.APPROVED else "rejected"
    notify(
        {request.author_id} - {None},
        kind="transition_answer",
        thing=request.version,
        text=f"{verb} your request to move {{thing}} to {request.stage}",
        url=_page(request.version),
        actor=actor,
        label=_label(request.version),
        detail=comment,
    )


def _page(version: ModelVersion) -> str:
    return page_path(version.model.resource, f"version:{version.version}")


def _label(version: ModelVersion) -> str:
    return f"{version.model.resource.name} v{version.version}"


def _comment(text: str) -> str:
    if len(text) > COMMENT_MAX:
        raise Invalid(fields={"comment": f"At most {COMMENT_MAX} characters."})
    return text
