"""What an endpoint's rows say should happen next: which version to prepare, what its state is, where its requests go.

Rules only: these functions read and write rows inside a scope that is open, and never start or ask anything.
"""

from __future__ import annotations

import json
from datetime import timedelta

from apps.access import audit
from apps.access.actor import system_actor
from apps.access.models import Resource
from apps.deployments import versions
from apps.deployments.models import (
    Endpoint,
    EndpointConfig,
    EndpointState,
    Replica,
    ReplicaState,
    ServedState,
    ServedVersion,
)
from apps.foundation.clock import now
from apps.lineage.recorder import Node, observe_read

ATTEMPTS = 3
MAX_PAUSE = timedelta(seconds=60)


def endpoint_node(endpoint: Endpoint) -> Node:
    """The endpoint as lineage names it."""
    return Node("endpoint", str(endpoint.pk), name=endpoint.name or endpoint.resource.name, resource=endpoint.resource)


def wants_traffic(endpoint: Endpoint) -> bool:
    """Whether it should answer: told to run, and not in the trash."""
    return endpoint.wants_running and endpoint.resource.deleted_at is None


def settle_name(endpoint: Endpoint) -> None:
    """An endpoint in the trash gives its address back; one that came out of it takes it again where that is free."""
    if endpoint.resource.deleted_at is not None:
        if endpoint.name is not None:
            Endpoint.objects.filter(pk=endpoint.pk).update(name=None)
            endpoint.name = None
    elif endpoint.name is None and not Endpoint.objects.filter(name=endpoint.resource.name).exists():
        endpoint.name = endpoint.resource.name
        endpoint.save(update_fields=["name"])


def settle_wish(endpoint: Endpoint) -> tuple[ServedVersion | None, str]:
    """The version that should be in traffic, its row made when it is new; or None and the reason why there is none."""
    config = endpoint.config
    wanted, problem = versions.resolve(config)
    if wanted is None:
        return None, problem
    rows = endpoint.served.filter(model_version_id=wanted.id)
    found = rows.filter(state__in=ServedVersion.ACTIVE).order_by("-made_at").first()
    if found is None:
        failed = rows.filter(state=ServedState.FAILED, made_at__gte=max(endpoint.wished_at, config.valid_from)).first()
        if failed is not None:
            return failed, failed.reason
        found = ServedVersion(
            endpoint=endpoint,
            config=config,
            model_name=wanted.model_name,
            model_version=wanted.version,
            model_version_id=wanted.id,
        )
        found.save()
    elif found.config_id != config.pk:
        found.config = config
        found.save(update_fields=["config"])
    _retire(endpoint, besides=found, states={ServedState.PREPARING, ServedState.STARTING})
    return found, ""


def switch(endpoint: Endpoint, wanted: ServedVersion) -> None:
    """Put the wanted version in traffic once as many replicas as configured are ready; the one before drains."""
    if wanted.state != ServedState.STARTING or len(ready_replicas(wanted)) < wanted.config.replicas:
        return
    wanted.state, wanted.valid_from = ServedState.SERVING, now()
    wanted.facts = ready_replicas(wanted)[0].health
    wanted.save(update_fields=["state", "valid_from", "facts"])
    _retire(endpoint, besides=wanted, states={ServedState.SERVING})
    if (node := versions.node_of(wanted)) is not None:
        observe_read(endpoint_node(endpoint), node, stage=wanted.config.value, at=wanted.valid_from.isoformat())


def retire_all(endpoint: Endpoint) -> None:
    """Take everything out of traffic."""
    _retire(endpoint, besides=None, states=ServedVersion.ACTIVE)


def _retire(endpoint: Endpoint, *, besides: ServedVersion | None, states: set[str]) -> None:
    rows = endpoint.served.filter(state__in=states)
    if besides is not None:
        rows = rows.exclude(pk=besides.pk)
    for served in rows:
        if served.valid_from is not None:
            served.valid_to = now()
        served.state = ServedState.DRAINING
        served.save(update_fields=["state", "valid_to"])
        drain_replicas(served)


def drain_replicas(served: ServedVersion, *, keep: int = 0) -> None:
    """Mark all replicas of a version, but the first `keep`, to end when their last answer is given."""
    alive = served.replicas.filter(state__in={ReplicaState.STARTING, ReplicaState.READY}).order_by(
        "place", "started_at"
    )
    for replica in list(alive)[keep:]:
        replica.state, replica.drain_at = ReplicaState.DRAINING, now()
        replica.save(update_fields=["state", "drain_at"])


def ready_replicas(served: ServedVersion) -> list[Replica]:
    """Those that answer, in a fixed order."""
    return list(served.replicas.filter(state=ReplicaState.READY).order_by("place", "started_at"))


def missing_places(served: ServedVersion) -> list[int]:
    """The places that need a new replica now: none while a pause after failures lasts."""
    alive = set(
        served.replicas.filter(state__in={ReplicaState.STARTING, ReplicaState.READY}).values_list("place", flat=True)
    )
    missing = [place for place in range(served.config.replicas) if place not in alive]
    failures = failures_in_a_row(served)
    if missing and failures:
        last = served.replicas.filter(state=ReplicaState.FAILED).order_by("-ended_at").first()
        pause = min(MAX_PAUSE, timedelta(seconds=2 ** min(failures - 1, 6)))
        if last is not None and last.ended_at is not None and last.ended_at + pause > now():
            return []
    return missing


def failures_in_a_row(served: ServedVersion) -> int:
    """How many replicas have failed since the last one became ready."""
    failed = served.replicas.filter(state=ReplicaState.FAILED)
    last_ready = served.replicas.filter(ready_at__isnull=False).order_by("-ready_at").first()
    if last_ready is not None:
        failed = failed.filter(ended_at__gt=last_ready.ready_at)
    return failed.count()


def give_up_where_hopeless(served: ServedVersion) -> None:
    """A version none of whose replicas ever became ready fails after some attempts."""
    if served.state != ServedState.STARTING or served.replicas.filter(ready_at__isnull=False).exists():
        return
    if failures_in_a_row(served) >= ATTEMPTS:
        last = served.replicas.filter(state=ReplicaState.FAILED).order_by("-ended_at").first()
        fail(served, last.reason if last else "Its replicas did not start.")


def fail(served: ServedVersion, reason: str) -> None:
    """Give a version up, for the reason."""
    served.state, served.reason = ServedState.FAILED, reason
    served.save(update_fields=["state", "reason"])
    drain_replicas(served)


def end_drained(endpoint: Endpoint) -> None:
    """Versions out of traffic end with their last replica."""
    for served in endpoint.served.filter(state=ServedState.DRAINING):
        if not served.replicas.filter(state__in=Replica.ALIVE).exists():
            served.state = ServedState.ENDED
            served.save(update_fields=["state"])


def publish(endpoint: Endpoint, problem: str) -> None:
    """Write down where requests go and what the endpoint's state is. The scoring route reads it with its next request."""
    serving = endpoint.served.filter(state=ServedState.SERVING).order_by("-valid_from").first()
    ready = ready_replicas(serving) if serving is not None else []
    routing = ""
    if serving is not None and ready:
        routing = json.dumps(
            {
                "model_name": serving.model_name,
                "model_version": serving.model_version,
                "served_id": str(serving.pk),
                "sockets": [replica.socket for replica in ready],
            }
        )
    if routing != endpoint.routing:
        endpoint.routing = routing
        endpoint.save(update_fields=["routing"])
    before = endpoint.state
    endpoint.enter(*_state(endpoint, serving, bool(ready), problem))
    _record_change(endpoint, before)


def _record_change(endpoint: Endpoint, before: str) -> None:
    """Have the audit say when an endpoint that answered stops by itself, when it fails, and when it answers (again)."""
    answering, after = {EndpointState.READY, EndpointState.UPDATING}, endpoint.state
    stopped = after == EndpointState.FAILED != before or (before in answering and after == EndpointState.STARTING)
    started = after == EndpointState.READY and before not in answering
    if stopped or started:
        verb = "deployments.stopped_answering" if stopped else "deployments.answers"
        system = system_actor(endpoint.workspace)
        audit.record(system, verb, endpoint, before={"state": before}, after={"state": after})


def _state(endpoint: Endpoint, serving: ServedVersion | None, answers: bool, problem: str) -> tuple[EndpointState, str]:
    if not wants_traffic(endpoint):
        alive = Replica.objects.filter(served__endpoint=endpoint, state__in=Replica.ALIVE).exists()
        return (EndpointState.UPDATING, "Stopping") if alive else (EndpointState.STOPPED, "")
    coming = (
        endpoint.served.filter(state__in={ServedState.PREPARING, ServedState.STARTING}).order_by("-made_at").first()
    )
    what = f"{coming}: {coming.get_state_display().lower()}" if coming is not None else ""
    if coming is not None and coming.reason:
        what = f"{what}. {coming.reason}"
    if answers:
        if coming is not None:
            return EndpointState.UPDATING, what
        return EndpointState.READY, f"{problem} {serving} still answers." if problem else ""
    if serving is not None:
        return EndpointState.STARTING, f"{serving} has no replica that answers; it is started again. {problem}".strip()
    if coming is not None:
        return EndpointState.STARTING, what
    return EndpointState.FAILED, problem


def new_replicas(served: ServedVersion, socket_of: object) -> list[Replica]:
    """Rows for the replicas that are missing; whoever called launches them after the transaction."""
    made = []
    for place in missing_places(served):
        replica = Replica(served=served, place=place)
        replica.socket = socket_of(replica.pk)  # type: ignore[operator]
        replica.save(force_insert=True)
        made.append(replica)
    return made


def config_of(
    endpoint: Endpoint, *, model: Resource, follows: str, value: str, replicas: int, made_by: object
) -> EndpointConfig:
    """The endpoint's new configuration, in place of the one that held."""
    at = now()
    last = endpoint.configs.order_by("-number").first()
    endpoint.configs.filter(valid_to__isnull=True).update(valid_to=at)
    config = EndpointConfig(
        endpoint=endpoint,
        number=last.number + 1 if last else 1,
        model=model,
        model_name=model.path,
        follows=follows,
        value=value,
        replicas=replicas,
        made_by=made_by,  # type: ignore[misc]
        valid_from=at,
    )
    config.save(force_insert=True)
    return config
