"""What a new endpoint may serve, and what is known beforehand about a choice."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from apps.access.actor import Actor
from apps.access.levels import Level
from apps.access.models import Resource
from apps.access.policy import visible
from apps.access.queries import who_may
from apps.access.resources import find_resource, root_resource
from apps.deployments import versions
from apps.deployments.models import Endpoint, Follows, ServedVersion
from apps.registry import queries as registry
from apps.registry import signatures, stages
from apps.registry.models import ModelVersion, RegisteredModel

FOLDERS = 200


@dataclass(frozen=True)
class Target:
    """Something to follow: `key` is what the form sends, `version` what it means today."""

    key: str
    follows: str
    value: str
    version: ModelVersion


@dataclass(frozen=True)
class Known:
    """One thing that is known before it starts."""

    passed: bool
    title: str
    note: str


def targets_of(model: RegisteredModel) -> list[Target]:
    """The stages and aliases that a version has now."""
    found = []
    for stage in reversed(stages.SERVING):
        if version := versions.find(model, Follows.STAGE, stage):
            found.append(Target(f"stage:{stage}", Follows.STAGE, stage, version))
    for name, number in registry.aliases_of([model])[model.pk][:6]:
        found.append(Target(f"alias:{name}", Follows.ALIAS, name, registry.numbered(model, number)))
    return found


def chosen(key: str, targets: Sequence[Target], rows: Sequence[ModelVersion]) -> Target | None:
    """What is chosen: by its key, else the first stage, else the newest version."""
    fixed = [Target(f"version:{row.version}", Follows.VERSION, str(row.version), row) for row in rows]
    return next((one for one in [*targets, *fixed] if one.key == key), next(iter([*targets, *fixed]), None))


def known(actor: Actor, chosen: Target | None, folder: str) -> list[Known]:
    """What is known about a choice in a folder before it starts."""
    if chosen is None:
        return [Known(False, "Nothing to serve", "register a version first")]
    version = chosen.version
    columns = signatures.columns(version.facts)
    counts = {part: sum(column.part == part for column in columns) for part in signatures.PARTS}
    example = "example kept" if version.facts.get("input_example") else "no input example"
    found = [
        Known(
            bool(columns),
            "Signature",
            f"{_count(counts['inputs'], 'input')}, {_count(counts['outputs'], 'output')}, {example}",
        )
        if columns
        else Known(False, "Signature", "none: it takes whatever comes"),
        Known(version.files_at is not None, "Files", f"{version.bytes / 1e6:,.1f} MB kept with the version")
        if version.files_at
        else Known(False, "Files", "none are kept here, so it cannot be served"),
    ]
    python = version.facts.get("python_version", "")
    pinned = "requirements kept with the version" if version.facts.get("requirements") else "no requirements file"
    note = f"Python {python}, {pinned}, " + ("built already" if built([version]) else "built before it starts")
    found.append(Known(bool(version.facts.get("requirements")), "Environment", note))
    if problem := version.facts.get("problem"):
        found.append(Known(False, "MLmodel", str(problem)[:200]))
    place = root_resource() if folder == "/" else find_resource("folder", folder)
    seen = place is not None and visible(Resource.objects.filter(pk=place.pk), actor, Level.DISCOVER).exists()
    if place is not None and seen:
        people = len(who_may(place, Level.USE))
        found.append(Known(True, "Who may ask", f"can use and above in {folder}: {_count(people, 'member')}"))
    else:
        found.append(Known(False, "Folder", f"{folder} is not there, or not shared with you"))
    return found


def built(rows: Sequence[ModelVersion]) -> set[str]:
    """The ids of those versions whose environment was built for an endpoint before."""
    served = ServedVersion.objects.filter(model_version_id__in=[str(row.pk) for row in rows]).exclude(environment="")
    return set(served.values_list("model_version_id", flat=True))


def folders(actor: Actor) -> list[str]:
    """The folders in which the actor may make endpoints, the top first."""
    rows = visible(Resource.objects.filter(kind="folder"), actor, Level.EDIT).order_by("path")
    return ["/", *rows.values_list("path", flat=True)[:FOLDERS]]


def free_name(model: RegisteredModel) -> str:
    """A name that no endpoint has: the model's own, with a number when needed."""
    base = re.sub(r"[^a-z0-9]+", "-", model.resource.name.rpartition(".")[2].lower()).strip("-")[:50] or "endpoint"
    taken = set(Endpoint.objects.filter(name__startswith=base).values_list("name", flat=True))
    return next(name for name in (base, *(f"{base}-{n}" for n in range(2, 10_000))) if name not in taken)


def _count(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"
