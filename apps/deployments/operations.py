"""What people can do with endpoints."""

from __future__ import annotations

import re
from typing import Any

from django.db import IntegrityError, transaction

from apps.access import audit
from apps.access.actor import Actor
from apps.access.levels import Level
from apps.access.models import Resource
from apps.access.operation import operation
from apps.access.policy import authorise
from apps.access.resources import create_resource, trash_resource
from apps.access.tasks import after_commit
from apps.deployments import logs, tasks, traffic, versions
from apps.deployments.models import Endpoint, EndpointConfig, EndpointState, Follows
from apps.foundation.clock import now
from apps.foundation.errors import AlreadyExists, Conflict, Invalid, NotFound
from apps.registry.models import RegisteredModel
from apps.registry.names import check_alias
from apps.registry.stages import canonical

REPLICAS_MAX = 16
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}")


@operation(needs=Level.EDIT, on="parent", open_to_makers=True)
def create_endpoint(
    *,
    actor: Actor,
    parent: Resource,
    name: str,
    model: RegisteredModel,
    follows: str,
    value: str,
    replicas: int = 1,
    inference_table: str = "",
    description: str = "",
) -> Endpoint:
    """Make an endpoint that serves a version of a model, or whatever holds a stage or an alias; it starts at once."""
    if not _NAME.fullmatch(name):
        raise Invalid(fields={"name": "1 to 63 of letters, digits, _ and -, beginning with a letter or digit."})
    value = _check_target(actor, model, follows, value, replicas)
    resource = create_resource(actor, kind="endpoint", name=name, parent=parent, description=description)
    endpoint = Endpoint(resource=resource, name=name)
    try:
        with transaction.atomic():
            endpoint.save(force_insert=True)
    except IntegrityError:
        raise AlreadyExists(f"There is already an endpoint called “{name}” in this workspace.") from None
    endpoint.inference_table = logs.make_table(actor, endpoint, model, inference_table)
    endpoint.save(update_fields=["inference_table"])
    config = traffic.config_of(
        endpoint, model=model.resource, follows=follows, value=value, replicas=replicas, made_by=actor.user
    )
    audit.record(actor, "deployments.create_endpoint", endpoint, after=_told(config))
    _soon(endpoint)
    return endpoint


@operation(needs=Level.EDIT, on="endpoint")
def update_config(
    *, actor: Actor, endpoint: Endpoint, model: RegisteredModel, follows: str, value: str, replicas: int
) -> Endpoint:
    """Serve something else, or with another number of replicas; what serves now answers until the new is ready."""
    value = _check_target(actor, model, follows, value, replicas)
    before = endpoint.config
    if _told(before) == {"model": model.resource.path, "follows": follows, "value": value, "replicas": replicas}:
        raise Conflict("That is what the endpoint is configured for already.", code="unchanged")
    after = traffic.config_of(
        endpoint, model=model.resource, follows=follows, value=value, replicas=replicas, made_by=actor.user
    )
    if endpoint.wants_running:
        endpoint.enter(EndpointState.UPDATING if endpoint.routing else EndpointState.STARTING)
    audit.record(actor, "deployments.update_config", endpoint, before=_told(before), after=_told(after))
    _soon(endpoint)
    return endpoint


@operation(needs=Level.EDIT, on="endpoint")
def start_endpoint(*, actor: Actor, endpoint: Endpoint) -> Endpoint:
    """Start a stopped endpoint, or try again what failed."""
    before = endpoint.state
    if endpoint.wants_running and before == EndpointState.READY and not endpoint.reason:
        raise Conflict("The endpoint runs already.", code="unchanged")
    endpoint.wants_running, endpoint.wished_at = True, now()
    endpoint.save(update_fields=["wants_running", "wished_at"])
    endpoint.enter(EndpointState.UPDATING if endpoint.routing else EndpointState.STARTING)
    audit.record(actor, "deployments.start_endpoint", endpoint, before={"state": before})
    _soon(endpoint)
    return endpoint


@operation(needs=Level.EDIT, on="endpoint")
def stop_endpoint(*, actor: Actor, endpoint: Endpoint) -> Endpoint:
    """Stop answering: from now on nobody gets in, what is being answered is finished. Keeps everything else."""
    if not endpoint.wants_running:
        raise Conflict("The endpoint is stopped already.", code="unchanged")
    before = endpoint.state
    _halt(endpoint)
    audit.record(actor, "deployments.stop_endpoint", endpoint, before={"state": before})
    return endpoint


@operation(needs=Level.MANAGE, on="endpoint")
def delete_endpoint(*, actor: Actor, endpoint: Endpoint) -> None:
    """Put an endpoint in the trash: it ends, and its name is free. Its inference table stays."""
    before = {"name": endpoint.name, "state": endpoint.state}
    _halt(endpoint)
    endpoint.name = None
    endpoint.wants_running = True
    endpoint.save(update_fields=["name", "wants_running"])
    trash_resource(endpoint.resource)
    audit.record(actor, "deployments.delete_endpoint", endpoint, before=before)


def _halt(endpoint: Endpoint) -> None:
    endpoint.wants_running, endpoint.routing = False, ""
    endpoint.save(update_fields=["wants_running", "routing"])
    endpoint.enter(EndpointState.UPDATING, "Stopping")
    _soon(endpoint)


def _check_target(actor: Actor, model: RegisteredModel, follows: str, value: str, replicas: int) -> str:
    """The value as it is kept. Raises NotFound or Forbidden for a model that the actor may not use, Invalid for the rest."""
    authorise(actor, Level.USE, model)
    problems: dict[str, str] = {}
    if follows not in Follows.values:
        problems["follows"] = f"Use one of {', '.join(Follows.values)}."
    elif follows == Follows.STAGE:
        value = canonical(value)
    elif follows == Follows.ALIAS:
        value = check_alias(value)
    elif versions.find(model, follows, value) is None:
        problems["value"] = f"{model.name} has no version {value[:40]}."
    if not 1 <= replicas <= REPLICAS_MAX:
        problems["replicas"] = f"1 to {REPLICAS_MAX}."
    if problems:
        raise Invalid(fields=problems)
    return value


def _told(config: EndpointConfig) -> dict[str, Any]:
    return {
        "model": config.model_name,
        "follows": str(config.follows),
        "value": config.value,
        "replicas": config.replicas,
    }


def _soon(endpoint: Endpoint) -> None:
    after_commit(tasks.reconcile, endpoint.workspace_id, endpoint.pk)


def get_model(name: str) -> RegisteredModel:
    """The live model that answers by this name, for the edge; the operation checks the level. Raises NotFound."""
    model = versions.find_model(name)
    if model is None:
        raise NotFound  # in the very words of one that is there and not shared
    return model
