"""What a search asks for, as plain values: the pages, our API and every protocol door build these, and `finder` answers them."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class Entity(StrEnum):
    """What a comparison or an order speaks about."""

    ATTRIBUTE = "attribute"
    METRIC = "metric"
    PARAM = "param"
    TAG = "tag"
    DATASET = "dataset"


class Operator(StrEnum):
    """How a field is compared. A comparison with something that is not there is never true, except IS NULL."""

    EQ = "="
    NE = "!="
    LT = "<"
    LE = "<="
    GT = ">"
    GE = ">="
    LIKE = "LIKE"
    ILIKE = "ILIKE"
    IN = "IN"
    NOT_IN = "NOT IN"
    IS_NULL = "IS NULL"
    IS_NOT_NULL = "IS NOT NULL"


Value = str | int | float | tuple[str, ...] | None


@dataclass(frozen=True)
class Comparison:
    """One condition. All conditions of a search must hold."""

    entity: Entity
    key: str
    operator: Operator
    value: Value


@dataclass(frozen=True)
class Order:
    """One key of an order; what lacks the key comes last in either direction."""

    entity: Entity
    key: str
    ascending: bool = True


class Stage(StrEnum):
    """Which of a list: what is in use, what is in the trash, or both."""

    ACTIVE = "active"
    DELETED = "deleted"
    ALL = "all"


@dataclass(frozen=True)
class RunSearch:
    """Which runs, of which experiments (by number), in which order, how many, after which page."""

    experiments: tuple[int, ...]
    where: tuple[Comparison, ...] = ()
    order: tuple[Order, ...] = ()
    stage: Stage = Stage.ACTIVE
    size: int = 100
    token: str = ""


@dataclass(frozen=True)
class ExperimentSearch:
    """Which experiments the caller sees, in which order, how many, after which page."""

    where: tuple[Comparison, ...] = ()
    order: tuple[Order, ...] = ()
    stage: Stage = Stage.ACTIVE
    size: int = 100
    token: str = ""
    text: str = field(default="")
