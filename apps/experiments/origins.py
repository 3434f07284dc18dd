"""What a run is measured against, and the five answers about it: what changed, did it work, on what data, can it be repeated, where is it used."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from apps.access.actor import Actor
from apps.experiments import queries, table
from apps.experiments.board import Cell, RunRow, beside
from apps.experiments.columns import way_of
from apps.experiments.models import Experiment, Run
from apps.experiments.uses import in_production
from apps.foundation.errors import NotFound
from apps.lineage.queries import Reading

PARENT_TAG = "mlflow.parentRunId"
SHOWN = 6


@dataclass(frozen=True)
class Baseline:
    """The run that another one is measured against, and in words why that one."""

    run: Run
    row: RunRow
    words: str


@dataclass(frozen=True)
class Stat:
    """A metric of a run beside the baseline's."""

    key: str
    cell: Cell
    base: float | None


@dataclass(frozen=True)
class Rank:
    """How a run stands in its experiment by one metric."""

    key: str
    value: float
    place: int
    among: int
    best: float
    best_run: str
    best_name: str
    gap: Cell


@dataclass(frozen=True)
class Held:
    """One thing that a repetition needs: what it is, what is known of it, and whether it is held."""

    icon: str
    name: str
    words: str
    held: bool


def find_baseline(actor: Actor, run: Run, row: RunRow, wanted: str) -> Baseline | None:
    """The chosen run, else the parent, else the one behind Production, else the one that ended before it."""
    experiment = run.experiment
    if wanted:
        chosen = queries.get_run(actor, wanted)
        return Baseline(chosen, queries.rows_of([chosen])[0], "chosen by you")
    candidates = [(row.tags.get(PARENT_TAG, ""), "its parent")]
    candidates += [
        (use.run.hex, f"the run behind {use.label} in Production") for use in in_production(actor, experiment)[:1]
    ]
    for run_id, words in candidates:
        try:
            found = queries.get_run(actor, run_id) if run_id and run_id != run.hex else None
        except NotFound:
            found = None
        if found is not None:
            return Baseline(found, queries.rows_of([found])[0], words)
    earlier = (
        Run.objects.select_related("experiment__resource")
        .filter(experiment_number=experiment.number, start_time__lt=run.start_time, deleted_at__isnull=True)
        .order_by("-start_time", "uuid")[:20]
    )
    before = next((one for one in earlier if one.status == Run.Status.FINISHED), None)
    return Baseline(before, queries.rows_of([before])[0], "the finished run before it") if before else None


def stats_of(experiment: Experiment, row: RunRow, base: RunRow | None, first: str = "") -> list[Stat]:
    """The metrics to show first, each beside the baseline's."""
    known = [key for key in row.metrics if not key.startswith("system/")]
    ranked = sorted(known, key=lambda key: (key != first, key.startswith("train"), not way_of(experiment, key), key))
    return [stat_of(experiment, row, base, key) for key in ranked[:SHOWN]]


def stat_of(experiment: Experiment, row: RunRow, base: RunRow | None, key: str) -> Stat:
    """One metric of a run beside the baseline's."""
    other = base.metrics.get(key) if base else None
    return Stat(key, beside(row.metrics[key], other, way_of(experiment, key)), other)


def rank_of(experiment: Experiment, run: Run, row: RunRow, key: str) -> Rank | None:
    """How the run stands among the runs in use by a metric with a known direction."""
    way, value = way_of(experiment, key), row.metrics.get(key)
    if not way or value is None or value != value:
        return None
    best = table.best_of(experiment, {key: way}).get(key)
    if best is None:
        return None
    sign = "<" if way < 0 else ">"
    ((better, among),) = table.read(
        f"select count(*) filter (where m.value {sign} %s), count(*) from experiments_runmetric m join experiments_run r on r.id = m.run_id"
        " where m.experiment_number = %s and m.key = %s and m.value < 'Infinity' and m.value > '-Infinity' and r.deleted_at is null",
        value, experiment.number, key,
    )  # fmt: skip
    return Rank(key, value, better + 1, among, best[0], best[1].hex, best[2], beside(value, best[0], way))


def held_of(run: Run, row: RunRow, readings: Sequence[Reading], inputs: int) -> list[Held]:
    """What is known of the run that repeating it needs."""
    told: dict[str, Any] = run.receipt or {}
    commit = told.get("commit") or row.commit
    source = told.get("source_path") or row.tags.get("mlflow.source.git.repoURL", "")
    dirty = bool(told.get("patch")) or row.tags.get("mlflow.source.git.dirty", "").lower() == "true"
    tables = [reading for reading in readings if reading.kind == "table_version"]
    lock = str(told.get("environment_lock") or "")
    packages = sum(1 for line in lock.splitlines() if "==" in line and not line.startswith((" ", "#")))
    seed = next((row.params[key] for key in ("seed", "random_state", "random_seed") if key in row.params), "")
    return [
        Held(
            "git-commit-horizontal", "Code",
            f"{source or 'a repository'} at {commit[:7]}" + (", with uncommitted changes" if dirty else "") if commit else "no commit is known",
            bool(commit) and not dirty,
        ),
        Held(
            "table-2", "Data",
            ", ".join(f"{r.name.rpartition('.')[2]} v{r.version}" for r in tables[:4] if not r.redacted)
            or (f"{inputs} data sets as its client told, not pinned here" if inputs else "no table was read here"),
            bool(tables),
        ),
        Held("package", "Environment", f"{packages} packages locked" if packages else "no lock is known", bool(packages)),
        Held(
            "sliders-horizontal", "Parameters",
            f"{len(row.params)} values" + (f" and seed {seed}" if seed else ", no seed among them"), bool(row.params),
        ),
    ]  # fmt: skip


def children_of(run: Run) -> list[RunRow]:
    """Runs that name this one as their parent, the newest first, at most 200."""
    rows = table.read(
        "select r.id from experiments_runtag t join experiments_run r on r.id = t.run_id where t.experiment_number = %s and t.key = %s"
        " and t.head = %s and r.deleted_at is null order by r.start_time desc, r.uuid limit 200",
        run.experiment_number, PARENT_TAG, run.hex,
    )  # fmt: skip
    found = Run.objects.filter(pk__in=[id for (id,) in rows]).order_by("-start_time", "uuid")
    return queries.rows_of(list(found))
