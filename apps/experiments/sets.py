"""Each condition of a run search as SQL, in two forms: the set of runs that fulfil it, and a probe of one run `r`.

Conditions use operators that row-level security lets an index serve (=, <, >= on text and numbers); LIKE reads the key's rows.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from apps.experiments.models.measurements import HEAD
from apps.experiments.search import Comparison, Entity, Operator, RunSearch, Stage

TABLES = {
    Entity.METRIC: "experiments_runmetric",
    Entity.PARAM: "experiments_runparam",
    Entity.TAG: "experiments_runtag",
}
_HEX = "replace(r.uuid::text, '-', '')"
_URI = (
    "(select coalesce(nullif(e.artifact_location, ''), 'mlflow-artifacts:/' || e.number) || '/' || "
    + _HEX
    + " || '/artifacts'"
    " from experiments_experiment e where e.resource_id = r.experiment_id)"
)


@dataclass(frozen=True)
class Attribute:
    """A field of the run itself: its SQL, and whether it is text."""

    column: str
    text: bool = True


ATTRIBUTES = {
    "run_id": Attribute(_HEX),
    "run_name": Attribute("r.name"),
    "status": Attribute("r.status"),
    "user_id": Attribute("r.claimed_user"),
    "artifact_uri": Attribute(_URI),
    "start_time": Attribute("r.start_time", text=False),
    "end_time": Attribute("r.end_time", text=False),
}


class Sql:
    """A statement that grows together with its parameters."""

    def __init__(self, text: str = "", params: list[Any] | None = None) -> None:
        self.text = text
        self.params = list(params or [])

    def add(self, text: str, *params: Any) -> Sql:
        """This statement with more text and its parameters."""
        self.text += text
        self.params += params
        return self

    def then(self, other: Sql) -> Sql:
        """This statement followed by another one."""
        return self.add(other.text, *other.params)


@dataclass(frozen=True)
class Opened:
    """The experiments of a search that the caller may see: number -> (in the trash?, artifact location)."""

    workspace: str
    experiments: dict[int, tuple[bool, str]]
    numbers: tuple[int, ...] = ()
    trashed: tuple[int, ...] = field(default=())

    def of_stage(self, stage: Stage) -> Opened:
        """Those whose runs can be of this stage. Runs of an experiment in the trash count as deleted."""
        trashed = tuple(number for number, (gone, _) in self.experiments.items() if gone)
        numbers = tuple(n for n in self.experiments if stage is not Stage.ACTIVE or n not in trashed)
        return Opened(self.workspace, self.experiments, numbers, trashed)

    def __bool__(self) -> bool:
        return bool(self.numbers)

    def clause(self) -> str:
        """`experiment_number ...` for these. The numbers are ours and integers, so they may stand in the text."""
        if len(self.numbers) == 1:
            return f"experiment_number = {int(self.numbers[0])}"
        return f"experiment_number = any('{{{','.join(str(int(number)) for number in self.numbers)}}}'::bigint[])"


def matching(search: RunSearch, within: Opened) -> Sql:
    """The numbers of all runs that fulfil the search, as a set `run_id`."""
    every = f"select id as run_id from experiments_run where {within.clause()}"
    wanted: list[Comparison] = []
    unwanted: list[Comparison] = []
    for comparison in search.where:
        (unwanted if comparison.operator is Operator.IS_NULL else wanted).append(comparison)
    statement = Sql()
    for index, comparison in enumerate(wanted):
        statement.add(" intersect " if index else "").then(_set(comparison, within))
    if not wanted:
        statement.add(every)
    if search.stage is Stage.DELETED:
        gone = f"{every} and deleted_at is not null"
        if within.trashed:
            gone = f"({gone} union {every} and experiment_number = any('{{{','.join(map(str, within.trashed))}}}'::bigint[]))"
        statement.add(f" intersect {gone}")
    for comparison in unwanted:
        statement.add(
            f" except select run_id from {TABLES[comparison.entity]} where {within.clause()} and key = %s",
            comparison.key,
        )
    if search.stage is Stage.ACTIVE:
        statement.add(f" except {every} and deleted_at is not null")
    return statement


def _set(comparison: Comparison, within: Opened) -> Sql:
    if comparison.entity is Entity.ATTRIBUTE:
        attribute = ATTRIBUTES[comparison.key]
        if comparison.key == "run_id" and comparison.operator in (Operator.EQ, Operator.IN):
            return Sql(f"select r.id as run_id from experiments_run r where r.{within.clause()} and ").then(
                _by_uuid(comparison)
            )
        return Sql(f"select r.id as run_id from experiments_run r where r.{within.clause()} and ").then(
            condition(attribute.column, comparison)
        )
    if comparison.entity is Entity.DATASET:
        statement = Sql("select i.run_id from experiments_runinput i join experiments_dataset d on d.id = i.dataset_id")
        statement.add(f" join experiments_run x on x.id = i.run_id where x.{within.clause()} and ")
        return statement.then(condition(_DATASET[comparison.key], comparison))
    statement = Sql(
        f"select run_id from {TABLES[comparison.entity]} f where {within.clause()} and key = %s", [comparison.key]
    )
    if comparison.operator is Operator.IS_NOT_NULL:
        return statement
    return statement.add(" and ").then(_value("f", comparison))


def probe(comparison: Comparison, within: Opened) -> Sql:
    """Whether the run `r` fulfils a condition."""
    if comparison.entity is Entity.ATTRIBUTE:
        if comparison.key == "run_id" and comparison.operator in (Operator.EQ, Operator.IN):
            return _by_uuid(comparison)
        return condition(ATTRIBUTES[comparison.key].column, comparison)
    if comparison.entity is Entity.DATASET:
        statement = Sql(
            "exists (select 1 from experiments_runinput i join experiments_dataset d on d.id = i.dataset_id"
        )
        return (
            statement.add(" where i.run_id = r.id and ").then(condition(_DATASET[comparison.key], comparison)).add(")")
        )
    negated = "not " if comparison.operator is Operator.IS_NULL else ""
    statement = Sql(
        f"{negated}exists (select 1 from {TABLES[comparison.entity]} f where f.run_id = r.id and f.key = %s",
        [comparison.key],
    )
    if comparison.operator not in (Operator.IS_NULL, Operator.IS_NOT_NULL):
        statement.add(" and ").then(_value("f", comparison))
    return statement.add(")")


_DATASET = {"name": "d.name", "digest": "d.digest", "context": "i.context"}


def _by_uuid(comparison: Comparison) -> Sql:
    wanted = comparison.value if isinstance(comparison.value, tuple) else (comparison.value,)
    ids = [
        text for text in wanted if isinstance(text, str) and len(text) == 32 and set(text) <= set("0123456789abcdef")
    ]
    return Sql("r.uuid = any(%s::uuid[])", [ids])


def _value(table: str, comparison: Comparison) -> Sql:
    if comparison.entity is Entity.METRIC:
        # PostgreSQL orders NaN above all numbers; only != may match it.
        number = Sql(f"{table}.value {_sign(comparison.operator)} %s::float8", [comparison.value])
        return number if comparison.operator is Operator.NE else number.add(f" and {table}.value <= 'Infinity'")
    text = str(comparison.value)
    if comparison.operator in (Operator.EQ, Operator.NE) and len(text) < HEAD:
        return Sql(f"{table}.head {_sign(comparison.operator)} %s", [text])
    if comparison.operator is Operator.EQ:
        return Sql(f"{table}.head = %s and {table}.value = %s", [text[:HEAD], text])
    return condition(f"{table}.value", comparison)


def condition(column: str, comparison: Comparison) -> Sql:
    """A plain comparison of a column. LIKE has no escape character."""
    operator, value = comparison.operator, comparison.value
    if operator in (Operator.LIKE, Operator.ILIKE):
        return Sql(f"{column} {operator} %s escape ''", [value])
    if operator in (Operator.IN, Operator.NOT_IN):
        listed = Sql(f"{column} = any(%s::text[])", [list(value)])  # type: ignore[arg-type]
        return listed if operator is Operator.IN else Sql("not ").then(listed)
    cast = "::numeric" if isinstance(value, float) else ""
    return Sql(f"{column} {_sign(operator)} %s{cast}", [value])


def _sign(operator: Operator) -> str:
    return "<>" if operator is Operator.NE else str(operator)
