"""What went into a run: tables at their versions, the code at its commit, the log of the job run around it. Each only as far as the actor may see."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from apps.access.actor import Actor
from apps.access.policy import fetch, fetch_path
from apps.experiments.board import RunRow
from apps.experiments.models import Run
from apps.foundation.errors import BoathouseError, NotFound
from apps.jobs import logs
from apps.jobs import queries as jobs
from apps.jobs.models import JobRun
from apps.lineage.nodes import address_of
from apps.lineage.queries import Reading
from apps.repos import queries as repos
from apps.repos.models import Repo
from apps.tables.models import TableVersion

PATCH_BYTES = 300_000
FILES_SHOWN = 40


@dataclass(frozen=True)
class Input:
    """A thing that a run read: `rows` of the version, what part of it was read, and whether a newer version exists."""

    reading: Reading
    href: str
    rows: int | None
    part: str
    latest: bool


def describe(actor: Actor, readings: Sequence[Reading]) -> list[Input]:
    """The readings with what the tables room knows of those versions."""
    keys = {r.key for r in readings if r.kind == "table_version" and not r.redacted}
    rows: dict[tuple[str, str], int] = {}
    newest: dict[str, int] = {}
    for table, version, count in TableVersion.objects.filter(table_id__in=keys).values_list(
        "table_id", "version", "rows"
    ):
        rows[(str(table), str(version))] = count
        newest[str(table)] = max(version, newest.get(str(table), 0))
    workspace = actor.workspace.name
    return [
        Input(
            reading,
            ""
            if reading.redacted
            else address_of(workspace, reading.kind, reading.key, reading.version, reading.resource_id),
            rows.get((reading.key, reading.version)),
            _part(reading.facts),
            str(newest.get(reading.key, "")) == reading.version,
        )
        for reading in readings
    ]


def side_by_side(
    tables: Sequence[Sequence[Input]], told: Sequence[Sequence[Any]]
) -> list[tuple[str, list[tuple[str, str, bool]]]]:
    """The data of several runs: a name, then for each run (version, address, differs from the first one's)."""
    named: dict[str, list[tuple[str, str]]] = {}
    for place, (found, datasets) in enumerate(zip(tables, told, strict=True)):
        cells = [(one.reading.name, f"v{one.reading.version}", one.href) for one in found if not one.reading.redacted]
        cells += [(one.dataset.name, one.dataset.digest, "") for one in datasets]
        for name, version, href in cells:
            row = named.setdefault(name, [("", "")] * len(tables))
            seen = row[place][0]
            row[place] = (f"{seen}, {version}" if seen else version, href)
    return [(name, [(*cell, cell[0] != row[0][0]) for cell in row]) for name, row in sorted(named.items())]


def _part(facts: dict[str, Any]) -> str:
    told = []
    if facts.get("filter"):
        told.append(_filter(facts["filter"])[:200])
    columns = facts.get("columns")
    if isinstance(columns, list):
        told.append(f"{len(columns)} column{'' if len(columns) == 1 else 's'}")
    return ", ".join(told) or "all of it"


def _filter(told: Any) -> str:
    """A recorded filter in words: groups joined with or, conditions with and."""
    try:
        value = json.loads(told) if isinstance(told, str) and told.startswith("[") else told
        groups = value if value and isinstance(value[0][0], list) else [value]
        return " or ".join(" and ".join(_condition(*condition) for condition in group) for group in groups)
    except (ValueError, TypeError, IndexError, KeyError):
        return str(told)


def _condition(column: str, operator: str, value: Any = None) -> str:
    if value is None:
        return f"{column} {operator}"
    return f"{column} {operator} {', '.join(map(str, value)) if isinstance(value, list) else value}"


def find_repo(actor: Actor, path: str) -> Repo | None:
    """The hosted repository at this path, if the actor may see it."""
    if not path:
        return None
    try:
        return fetch_path(Repo, "repo", path, actor=actor)
    except BoathouseError:
        return None


def code_of(actor: Actor, run: Run, row: RunRow) -> dict[str, Any]:
    """Commit, script, patch and environment of a run; the commit's subject and changed files where its repository is here."""
    told: dict[str, Any] = run.receipt or {}
    commit = str(told.get("commit") or row.commit or "")
    source = str(told.get("source_path") or row.tags.get("mlflow.source.git.repoURL", ""))
    repo, change = find_repo(actor, source), None
    if repo is not None and commit:
        try:
            change = repos.get_change(repo, head=commit)
        except BoathouseError:
            change = None
    patch = str(told.get("patch") or row.tags.get("mlflow.source.git.diff", ""))
    return {
        "commit": commit,
        "source": source,
        "repo": repo,
        "change": change,
        "patch": patch[:PATCH_BYTES],
        "patch_cut": len(patch) > PATCH_BYTES,
        "script": told.get("script") or row.tags.get("mlflow.source.name", ""),
        "lock": str(told.get("environment_lock") or ""),
        "environment": str(told.get("environment_digest") or ""),
        "parameters": told.get("parameters") or {},
        "person": told.get("user") or row.user,
    }


def subject_of(actor: Actor, run: Run, row: RunRow) -> tuple[Repo | None, str]:
    """The repository of a run's commit, and the commit's subject, where both are here."""
    told: dict[str, Any] = run.receipt or {}
    repo, commit = find_repo(actor, str(told.get("source_path") or "")), str(told.get("commit") or row.commit or "")
    if repo is None or not commit:
        return repo, ""
    try:
        return repo, repo.git.commit(repos.resolve(repo, commit)).subject
    except BoathouseError:
        return repo, ""


def job_of(actor: Actor, run: Run) -> JobRun | None:
    """The job run that made a run, if the actor may see it."""
    kind, _, key = run.activity.partition(":")
    if kind != "job_run":
        return None
    try:
        return fetch(JobRun, key, actor=actor)
    except BoathouseError:
        return None


def log_lines(job_run: JobRun) -> tuple[list[logs.LogLine], bool]:
    """The first lines of its last attempt's log, and whether more may come."""
    try:
        attempt = jobs.get_attempt(job_run)
    except NotFound:
        return [], not job_run.is_final
    lines, more = logs.read_lines(attempt)
    return lines, more or not attempt.is_final
