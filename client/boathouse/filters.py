"""Row filters: text, lists or Arrow expressions, made into what the server prunes by and what Arrow filters by.

Text: `month <= 9 and (origin in ('JFK', 'LGA') or dest is null) and not carrier = 'UA'`. Lists are as pyarrow's: conditions that all
hold, or a list of such lists of which one must hold.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

ALTERNATIVES_MAX = 64
_OPPOSITE = {
    "=": "!=",
    "!=": "=",
    "<": ">=",
    ">=": "<",
    ">": "<=",
    "<=": ">",
    "in": "not in",
    "not in": "in",
    "is null": "is not null",
    "is not null": "is null",
}
_TOKEN = re.compile(
    r"\s*(?:(?P<text>'(?:[^']|'')*')|(?P<quoted>\"(?:[^\"]|\"\")+\"|`[^`]+`)|(?P<number>[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)"
    r"|(?P<sign><=|>=|!=|<>|==|=|<|>|\(|\)|,)|(?P<word>[A-Za-z_]\w*))"
)


@dataclass(frozen=True)
class Condition:
    """One comparison of a column with a value."""

    column: str
    operator: str
    value: Any = None


@dataclass(frozen=True)
class Both:
    """Parts that all hold (`word` is and) or of which one holds (or)."""

    word: str
    parts: tuple[Any, ...]


class FilterError(ValueError):
    """The filter cannot be understood; the message says where."""


Tree = Condition | Both


def parse(filter: Any) -> Tree | None:
    """The tree of a filter given as text or lists; None for an Arrow expression, which only Arrow understands."""
    if isinstance(filter, pc.Expression):
        return None
    if isinstance(filter, str):
        return _Parser(filter).whole()
    alternatives = filter if filter and filter[0] and isinstance(filter[0][0], (list, tuple)) else [filter]
    return _joined("or", [_joined("and", [_listed(item) for item in alternative]) for alternative in alternatives])


def alternatives(tree: Tree | None) -> list[list[list[Any]]] | None:
    """The filter as alternatives of conditions, for the server; None when it is too large or not to be told."""
    if tree is None:
        return None
    found = _alternatives(tree)
    return None if found is None else [[_told(condition) for condition in conditions] for conditions in found]


def expression(tree: Tree, schema: pa.Schema) -> pc.Expression:
    """The filter for Arrow, its values in the columns' types."""
    if isinstance(tree, Both):
        made = expression(tree.parts[0], schema)
        for part in tree.parts[1:]:
            made = made & expression(part, schema) if tree.word == "and" else made | expression(part, schema)
        return made
    if tree.column not in schema.names:
        raise FilterError(f"The filter names the column {tree.column!r}, which the table does not have.")
    column, kind = pc.field(tree.column), schema.field(tree.column).type
    if tree.operator.startswith("is"):
        return column.is_null() if tree.operator == "is null" else column.is_valid()
    if tree.operator in ("in", "not in"):
        among = column.isin(pa.array([_scalar(value, kind, tree).as_py() for value in tree.value], kind))
        return among if tree.operator == "in" else ~among & column.is_valid()
    value = _scalar(tree.value, kind, tree)
    match tree.operator:
        case "=":
            return column == value
        case "!=":
            return column != value
        case "<":
            return column < value
        case "<=":
            return column <= value
        case ">":
            return column > value
    return column >= value


def columns_of(tree: Tree) -> set[str]:
    """The columns that a filter looks at."""
    return {tree.column} if isinstance(tree, Condition) else set().union(*(columns_of(part) for part in tree.parts))


def _scalar(value: Any, kind: pa.DataType, at: Condition) -> pa.Scalar:
    try:
        if isinstance(value, str) and pa.types.is_temporal(kind):
            moment = datetime.datetime.fromisoformat(value.replace("Z", "+00:00"))
            if pa.types.is_timestamp(kind) and kind.tz and moment.tzinfo is None:
                moment = moment.replace(tzinfo=datetime.UTC)
            return pa.scalar(moment.date() if pa.types.is_date(kind) else moment, kind)
        if isinstance(value, float) and pa.types.is_integer(kind):
            return pa.scalar(value)
        return pa.scalar(value, kind)
    except (pa.ArrowException, ValueError, TypeError, OverflowError) as error:
        raise FilterError(f"{value!r} cannot be compared with {at.column}, which is {kind}.") from error


def _listed(item: Any) -> Condition:
    if not isinstance(item, (list, tuple)) or len(item) not in (2, 3) or not isinstance(item[0], str):
        raise FilterError(f"{item!r} is no condition; write (column, operator, value).")
    operator = {"==": "=", "<>": "!="}.get(str(item[1]).lower(), str(item[1]).lower())
    if operator not in _OPPOSITE:
        raise FilterError(f"{item[1]!r} is no operator; use {', '.join(_OPPOSITE)}.")
    value = item[2] if len(item) == 3 else None
    if operator in ("in", "not in"):
        if not isinstance(value, (list, tuple, set, frozenset)):
            raise FilterError(f"{operator} needs a list of values for {item[0]!r}.")
        value = tuple(value)
    return Condition(item[0], operator, value)


def _told(condition: Condition) -> list[Any]:
    def plain(value: Any) -> Any:
        if isinstance(value, (datetime.date, datetime.datetime)):
            return value.isoformat()
        return value.item() if hasattr(value, "item") else value

    if condition.operator.startswith("is"):
        return [condition.column, condition.operator]
    if condition.operator in ("in", "not in"):
        return [condition.column, condition.operator, [plain(value) for value in condition.value]]
    return [condition.column, condition.operator, plain(condition.value)]


def _alternatives(tree: Tree) -> list[list[Condition]] | None:
    if isinstance(tree, Condition):
        return [[tree]]
    made: list[list[Condition]] = [] if tree.word == "or" else [[]]
    for part in tree.parts:
        found = _alternatives(part)
        if found is None:
            return None
        made = made + found if tree.word == "or" else [left + right for left in made for right in found]
        if len(made) > ALTERNATIVES_MAX:
            return None
    return made


def _joined(word: str, parts: Sequence[Tree]) -> Tree:
    if not parts:
        raise FilterError("The filter is empty; leave it away to get every row.")
    return parts[0] if len(parts) == 1 else Both(word, tuple(parts))


def _opposite(tree: Tree) -> Tree:
    if isinstance(tree, Condition):
        return Condition(tree.column, _OPPOSITE[tree.operator], tree.value)
    return Both("or" if tree.word == "and" else "and", tuple(_opposite(part) for part in tree.parts))


class _Parser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = list(self._split(text))
        self.at = 0

    def _split(self, text: str) -> Iterator[tuple[str, str, int]]:
        position = 0
        while text[position:].strip():
            match = _TOKEN.match(text, position)
            if match is None:
                raise FilterError(f"The filter cannot be read from here on: {text[position:][:40]!r}.")
            kind = str(match.lastgroup)
            yield kind, match[kind], match.start(kind)
            position = match.end()

    def whole(self) -> Tree:
        tree = self._any()
        if self.at < len(self.tokens):
            raise self._wrong("and, or, or the end")
        return tree

    def _any(self) -> Tree:
        parts = [self._all()]
        while self._word("or"):
            parts.append(self._all())
        return _joined("or", parts)

    def _all(self) -> Tree:
        parts = [self._one()]
        while self._word("and"):
            parts.append(self._one())
        return _joined("and", parts)

    def _one(self) -> Tree:
        if self._word("not"):
            return _opposite(self._one())
        if self._sign("("):
            tree = self._any()
            self._need(")")
            return tree
        column = self._column()
        if self._word("is"):
            absent = "is not null" if self._word("not") else "is null"
            if not self._word("null"):
                raise self._wrong("null")
            return Condition(column, absent)
        negated = self._word("not")
        if self._word("in"):
            return Condition(column, "not in" if negated else "in", self._values())
        if self._word("between"):
            low = self._value()
            if not self._word("and"):
                raise self._wrong("and")
            inside = Both("and", (Condition(column, ">=", low), Condition(column, "<=", self._value())))
            return _opposite(inside) if negated else inside
        kind, sign, _ = self._peek()
        operator = {"==": "=", "<>": "!="}.get(sign, sign)
        if negated or kind != "sign" or operator not in _OPPOSITE:
            raise self._wrong("one of = != < <= > >= in, is null, between")
        self.at += 1
        return Condition(column, operator, self._value())

    def _column(self) -> str:
        kind, text, _ = self._peek()
        if kind not in ("word", "quoted"):
            raise self._wrong("a column")
        self.at += 1
        return text if kind == "word" else text[1:-1].replace('""', '"')

    def _values(self) -> tuple[Any, ...]:
        self._need("(")
        values = [self._value()]
        while self._sign(","):
            values.append(self._value())
        self._need(")")
        return tuple(values)

    def _value(self) -> Any:
        kind, text, _ = self._peek()
        self.at += 1
        if kind == "text":
            return text[1:-1].replace("''", "'")
        if kind == "number":
            return float(text) if re.search(r"[.eE]", text) else int(text)
        if kind == "word" and text.lower() in ("true", "false"):
            return text.lower() == "true"
        self.at -= 1
        raise self._wrong("a value: a number, true, false, or text in single quotes")

    def _peek(self) -> tuple[str, str, int]:
        return self.tokens[self.at] if self.at < len(self.tokens) else ("end", "", len(self.text))

    def _word(self, word: str) -> bool:
        kind, text, _ = self._peek()
        found = kind == "word" and text.lower() == word
        self.at += found
        return found

    def _sign(self, sign: str) -> bool:
        found = self._peek()[1] == sign and self._peek()[0] == "sign"
        self.at += found
        return found

    def _need(self, sign: str) -> None:
        if not self._sign(sign):
            raise self._wrong(sign)

    def _wrong(self, wanted: str) -> FilterError:
        _, found, position = self._peek()
        return FilterError(f"The filter needs {wanted} at character {position + 1}, and has {found!r} there.")
