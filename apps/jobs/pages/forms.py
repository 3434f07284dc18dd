"""What people type about jobs: settings, parameters, values."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.http import HttpRequest

from apps.access.levels import Level
from apps.access.models import Resource
from apps.access.policy import fetch, fetch_path
from apps.access.resources import root_resource
from apps.foundation.errors import Invalid, NotFound
from apps.jobs import parameters, queries
from apps.jobs.models import Job

ENVIRONMENTS = [
    ("commit", "What the commit asks for (requirements.txt, pyproject.toml)"),
    ("default", "The default environment"),
]
TYPES = " ".join(sorted(parameters.TYPES))


def folder_of(request: HttpRequest, path: str) -> Resource:
    """The folder that was typed. Raises Invalid beside its field."""
    if path in ("", "/"):
        return root_resource()
    try:
        return fetch_path(Resource, "folder", path.rstrip("/"), actor=request.actor, needs=Level.DISCOVER)  # type: ignore[attr-defined]
    except NotFound:
        raise Invalid(fields={"folder": "There is no such folder, or you may not know of it."}) from None


def source_chosen(request: HttpRequest) -> Resource:
    """The repository that was chosen. Raises Invalid beside its field."""
    try:
        return fetch(Resource, request.POST.get("source_id", ""), actor=request.actor)  # type: ignore[attr-defined]
    except NotFound:
        raise Invalid(fields={"source_id": "Choose a repository."}) from None


def choices(request: HttpRequest) -> dict[str, Any]:
    """What the form of a job offers."""
    sources = queries.list_sources(request.actor)[:200]  # type: ignore[attr-defined]
    return {
        "sources": [(str(source.pk), source.path) for source in sources],
        "environments": ENVIRONMENTS,
        "types": TYPES,
    }


def settings_typed(request: HttpRequest, job: Job | None = None) -> dict[str, Any]:
    """The form's settings. Raises Invalid with a sentence per wrong field."""
    wrong: dict[str, str] = {}
    numbers = {"timeout_minutes": (1, 7 * 24 * 60), "max_retries": (0, 10), "memory_mb": (128, 1 << 20)}
    found: dict[str, int] = {}
    for name, (low, high) in numbers.items():
        text = request.POST.get(name, "").strip()
        if text.isdecimal() and len(text) < 9 and low <= int(text) <= high:
            found[name] = int(text)
        else:
            wrong[name] = f"A whole number from {low} to {high}."
    environment = request.POST.get("environment", "commit")
    if environment not in dict(ENVIRONMENTS):
        wrong["environment"] = "Choose one of the two."
    declared: list[dict[str, Any]] = []
    try:
        declared = [parse_line(line) for line in request.POST.get("parameters", "").splitlines() if line.strip()]
    except Invalid as error:
        wrong |= error.fields
    if wrong:
        raise Invalid(fields=wrong)
    return {
        "ref": request.POST.get("ref", "").strip(),
        "environment": environment,
        "parameters": [_with_rest(item, job) for item in declared],
        "timeout_seconds": found["timeout_minutes"] * 60,
        "max_retries": found["max_retries"],
        "memory_mb": found["memory_mb"],
    }


def values_typed(request: HttpRequest, job: Job) -> dict[str, Any]:
    """The values of the start form; a field that was not there counts as not given, an empty one only for text."""
    given = {}
    for item in job.parameters:
        text = request.POST.get(f"p-{item['name']}")
        if text is not None and (text != "" or item["type"] == "text"):
            given[item["name"]] = parameters.from_text(item, text)
    return given


@contextmanager
def beside_fields(job: Job) -> Iterator[None]:
    """What is wrong with a parameter's value is said beside its field in the form."""
    try:
        yield
    except Invalid as error:
        names = {item["name"] for item in job.parameters}
        fields = {f"p-{name}" if name in names else name: sentence for name, sentence in error.fields.items()}
        raise Invalid(error.message, fields=fields) from None


def parse_line(line: str) -> dict[str, Any]:
    """A parameter as it is typed: `name: type = default`, type and default optional. Raises Invalid."""
    left, has_default, default = line.partition("=")
    name, _, kind = left.partition(":")
    item: dict[str, Any] = {"name": name.strip(), "type": kind.strip() or "text"}
    if item["type"] not in parameters.TYPES:
        raise Invalid(fields={"parameters": f"“{line.strip()}”: the type is one of {TYPES}."})
    if has_default:
        try:
            item["default"] = parameters.from_text(item, default.strip())
        except Invalid:
            raise Invalid(fields={"parameters": f"“{line.strip()}”: the default is no {item['type']}."}) from None
    return item


def write_line(item: dict[str, Any]) -> str:
    """A parameter as `parse_line` reads it."""
    default = item.get("default")
    return f"{item['name']}: {item['type']}" + (f" = {parameters.to_text(default)}" if default is not None else "")


def _with_rest(item: dict[str, Any], job: Job | None) -> dict[str, Any]:
    """A line of the form has no room for choices and help: those of the same parameter stay."""
    old: dict[str, Any] = next((one for one in job.parameters if one["name"] == item["name"]), {}) if job else {}
    kept = ("choices", "help") if old.get("type") == item["type"] else ("help",)
    return {**{name: old[name] for name in kept if name in old}, **item}
