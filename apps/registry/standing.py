"""How versions stand: their runs' numbers, the data and code behind them, and how they differ from the one in Production."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from apps.access.actor import Actor
from apps.access.policy import visible
from apps.experiments import board
from apps.experiments.columns import HIGHER, LOWER, better
from apps.experiments.models import Run
from apps.experiments.queries import rows_of
from apps.lineage.queries import SeenNode, sources_behind
from apps.registry import queries, signatures, stages
from apps.registry.models import ModelVersion, RegisteredModel, StagePeriod
from apps.tables.models import TableVersion


@dataclass
class Standing:
    """A version with what is known of it. `run` is None when it has none or the actor may not see it."""

    version: ModelVersion
    run: board.RunRow | None = None
    sources: list[SeenNode] = field(default_factory=list)
    columns: list[signatures.Column] = field(default_factory=list)
    value: float | None = None
    delta: float | None = None
    tone: str = ""
    is_best: bool = False
    signature: str = ""

    @property
    def number(self) -> str:
        """The version's number as text."""
        return str(self.version.version)

    @property
    def id(self) -> str:
        """The version's id as text."""
        return str(self.version.pk)

    @property
    def metrics(self) -> Mapping[str, float]:
        """What its run measured."""
        return self.run.metrics if self.run else {}

    @property
    def commit(self) -> str:
        """The commit that its run says it ran, or nothing."""
        return self.run.commit if self.run else ""

    @property
    def tables(self) -> list[SeenNode]:
        """The table versions that it was trained on and that the actor may know of."""
        return [node for node in self.sources if node.kind == "table_version" and not node.redacted]

    @property
    def hidden(self) -> int:
        """How many sources the actor may not know of."""
        return sum(node.redacted for node in self.sources)

    @property
    def commit_node(self) -> SeenNode | None:
        """The commit as lineage knows it, when it was recorded and may be seen."""
        return next((node for node in self.sources if node.kind == "commit" and not node.redacted), None)


@dataclass(frozen=True)
class Target:
    """The metric by which versions are compared; `better` is -1 when smaller is good, 1 when larger is, 0 when nobody knows."""

    key: str
    better: int
    keys: tuple[str, ...]
    low: float = 0.0
    high: float = 0.0

    @property
    def best(self) -> float | None:
        """The best value, where the name says which way is good."""
        return {-1: self.low, 1: self.high}.get(self.better)

    @property
    def ceiling(self) -> float:
        """Where a bar is full: at the best value."""
        return self.low if self.better < 0 else self.high

    @property
    def floor(self) -> float:
        """Where a bar is empty: a little beyond the worst value."""
        room = (self.high - self.low) * 0.25
        return self.high + room if self.better < 0 else self.low - room


def standings(actor: Actor, versions: Iterable[ModelVersion]) -> list[Standing]:
    """The same versions with their runs, tables and columns: a handful of statements for all of them."""
    rows = list(versions)
    runs = runs_of(actor, [version.run for version in rows if version.run])
    sources = sources_behind(actor, "run", [key.hex for key in runs])
    found = []
    for version in rows:
        run = runs.get(version.run) if version.run else None
        behind = sources.get(run.hex, []) if run else []
        found.append(Standing(version, run, behind, signatures.columns(version.facts)))
    return found


def runs_of(actor: Actor, keys: Sequence[uuid.UUID]) -> dict[uuid.UUID, board.RunRow]:
    """The runs that the actor may see among these."""
    if not keys:
        return {}
    rows = list(visible(Run, actor).filter(uuid__in=keys))
    return {row.uuid: row for row in rows_of(rows)}


def target_of(rows: Sequence[Standing], wanted: str = "") -> Target | None:
    """The metric asked for, or the one that most versions have and that says most; None when nothing was measured."""
    counts = Counter(key for row in rows for key in row.metrics)
    if not counts:
        return None
    ordered = tuple(sorted(counts, key=lambda key: (*_rank(key), -counts[key], key)))
    key = wanted if wanted in counts else ordered[0]
    values = [row.metrics[key] for row in rows if key in row.metrics]
    return Target(key, better(key), ordered[:40], min(values), max(values))


def _rank(key: str) -> tuple[int, int]:
    """What a name promises: held-out before training, the usual measures in their order."""
    words = key.lower()
    known = [*LOWER, *HIGHER]
    place = next((at for at, word in enumerate(known) if word in words), len(known))
    return (0 if words.startswith(("val", "test", "eval")) else 1, place)


def measure(
    rows: Sequence[Standing], target: Target | None, production: Standing | None, older: ModelVersion | None = None
) -> None:
    """Give each row its value of the target, the difference to Production, and what its signature changed since the one before.

    `older` is the version before the oldest of the rows.
    """
    base = production.metrics.get(target.key) if target and production else None
    for row in rows:
        row.value = row.metrics.get(target.key) if target else None
        same = production is not None and row.version.pk == production.version.pk
        row.delta = None if row.value is None or base is None or same else row.value - base
        row.tone = _tone(row.delta, target.better if target else 0)
        row.is_best = target is not None and row.value is not None and row.value == target.best
    before_all = [Standing(older, columns=signatures.columns(older.facts))] if older else []
    by_number = before_all + sorted(rows, key=lambda row: row.version.version)
    for before, after in zip(by_number, by_number[1:], strict=False):
        after.signature = signatures.summary(signatures.changes(before.columns, after.columns))


def in_production(actor: Actor, model: RegisteredModel) -> Standing | None:
    """The version that Production means now."""
    version = queries.in_production(model).first()
    return standings(actor, [version])[0] if version else None


@dataclass(frozen=True)
class Line:
    """One name with its values on both sides. `delta` and `tone` are there for numbers."""

    name: str
    before: Any
    after: Any
    delta: float | None = None
    tone: str = ""
    share: float | None = None

    @property
    def differs(self) -> bool:
        """Whether the sides are not the same."""
        return bool(self.before != self.after)

    @property
    def fill(self) -> int:
        """How far a drawn bar goes: half for no change, full where the change is a fifth of the value or more for the better."""
        if self.share is None or self.delta is None:
            return 50
        good = {"ok": 1, "bad": -1}.get(self.tone, 0)
        return round(50 + good * min(abs(self.share), 0.2) * 250)


@dataclass(frozen=True)
class Comparison:
    """Two versions side by side."""

    before: Standing
    after: Standing
    metrics: list[Line]
    params: list[Line]
    tables: list[Line]
    signature: list[signatures.Change]
    same_columns: int

    @property
    def sides(self) -> tuple[Standing, Standing]:
        """Both versions, the one before first."""
        return self.before, self.after

    @property
    def params_differing(self) -> list[Line]:
        """Parameters that are not the same."""
        return [line for line in self.params if line.differs]

    @property
    def breaks(self) -> list[signatures.Change]:
        """What may refuse requests that the version before took."""
        return [change for change in self.signature if change.breaks]

    @property
    def count(self) -> int:
        """How many things differ besides the metrics."""
        code = bool(self.before.commit) and self.before.commit != self.after.commit
        tables = sum(line.differs for line in self.tables)
        return len(self.params_differing) + tables + len(self.signature) + code


def compare(before: Standing, after: Standing) -> Comparison:
    """How `after` differs from `before`."""
    changed = signatures.changes(before.columns, after.columns)
    touched = sum(change.sign != "−" for change in changed)
    return Comparison(
        before,
        after,
        metrics=[
            _measured(key, before.metrics.get(key), after.metrics.get(key))
            for key in _keys(before.metrics, after.metrics)
        ],
        params=[
            Line(key, _params(before).get(key), _params(after).get(key))
            for key in sorted({**_params(before), **_params(after)})
        ],
        tables=_tables(before, after),
        signature=changed,
        same_columns=len(after.columns) - touched,
    )


def _keys(before: Mapping[str, float], after: Mapping[str, float]) -> list[str]:
    return sorted({**before, **after}, key=lambda key: (*_rank(key), key))


def _measured(key: str, before: float | None, after: float | None) -> Line:
    if before is None or after is None:
        return Line(key, before, after)
    delta = after - before
    return Line(key, before, after, delta, _tone(delta, better(key)), delta / abs(before) if before else None)


def _tone(delta: float | None, better: int) -> str:
    """ok or bad for a difference, or nothing."""
    return "" if not delta or not better else "ok" if delta * better > 0 else "bad"


def _params(row: Standing) -> Mapping[str, str]:
    return row.run.params if row.run else {}


def _tables(before: Standing, after: Standing) -> list[Line]:
    sides = [{node.name: node for node in row.tables} for row in (before, after)]
    return [
        Line(name, old.version if old else None, new.version if new else None)
        for name in sorted({**sides[0], **sides[1]})
        for old, new in [(sides[0].get(name), sides[1].get(name))]
    ]


def origins(actor: Actor, row: Standing) -> dict[str, list[SeenNode]]:
    """For each name of a column, the table versions behind a version that have a column of that name and may be viewed."""
    nodes = {(node.resource_id, node.version): node for node in row.tables}
    seen = visible(TableVersion, actor).filter(
        table__in={key for key, _ in nodes}, version__in={int(number) for _, number in nodes if number.isdecimal()}
    )
    found: dict[str, list[SeenNode]] = {}
    for table_id, number, told in seen.values_list("table_id", "version", "columns"):
        if node := nodes.get((table_id, str(number))):
            for column in told:
                found.setdefault(str(column.get("name", "")), []).append(node)
    return found


def production_periods(model: RegisteredModel, most: int = 200) -> list[StagePeriod]:
    """Who was in Production from when to when, oldest first."""
    rows = queries.stage_history(model).filter(stage=stages.PRODUCTION).order_by("-valid_from", "-id")[:most]
    return list(rows)[::-1]
