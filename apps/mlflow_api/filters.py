"""MLflow's search language, parsed into our search values: comparisons joined with AND, and order clauses.

One small lexer and one table per noun (`RUNS`, `EXPERIMENTS`, `MODELS`, `VERSIONS`, `LOGGED_MODELS`) hold the whole grammar.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import Enum, auto

from apps.experiments.search import Comparison, Entity, Operator, Order, Value
from apps.foundation.errors import Invalid

Op = Operator
NUMERIC = frozenset({Op.EQ, Op.NE, Op.LT, Op.LE, Op.GT, Op.GE})
TEXT = frozenset({Op.EQ, Op.NE, Op.LIKE, Op.ILIKE})
LISTS = frozenset({Op.IN, Op.NOT_IN})
NULLS = frozenset({Op.IS_NULL, Op.IS_NOT_NULL})
FILTER_MAX = 65_536
COMPARISONS_MAX = 100
ORDERS_MAX = 20


class Kind(Enum):
    """What a field is compared with."""

    TEXT = auto()
    NUMBER = auto()
    INTEGER = auto()
    VERSION = auto()


@dataclass(frozen=True)
class Field:
    """One attribute: its own name, what it is compared with, and how."""

    key: str
    kind: Kind = Kind.TEXT
    operators: frozenset[Operator] = TEXT
    orderable: bool = True


@dataclass(frozen=True)
class Grammar:
    """What one noun can be searched by. `prefixes` are the spellings of each entity; `values` the operators of its keyed fields."""

    attributes: dict[str, Field]
    prefixes: dict[str, Entity]
    values: dict[Entity, frozenset[Operator]] = field(default_factory=dict)
    datasets: dict[str, Field] = field(default_factory=dict)
    orderable: frozenset[Entity] = frozenset({Entity.ATTRIBUTE})


def _text(key: str, *extra: Operator, orderable: bool = True) -> Field:
    return Field(key, Kind.TEXT, TEXT | set(extra), orderable)


def _prefixes(**spellings: str) -> dict[str, Entity]:
    return {word: Entity(entity) for entity, words in spellings.items() for word in words.split()}


_ATTRIBUTE = "attribute attributes attr run"
_START, _NAME = Field("start_time", Kind.NUMBER, NUMERIC), _text("run_name")

RUNS = Grammar(
    attributes={
        "run_id": _text("run_id", *LISTS),
        **dict.fromkeys(("run_name", "run name", "Run name", "Run Name"), _NAME),
        "status": _text("status"),
        "user_id": _text("user_id"),
        "artifact_uri": _text("artifact_uri"),
        **dict.fromkeys(("start_time", "created", "Created"), _START),
        "end_time": Field("end_time", Kind.NUMBER, NUMERIC),
    },
    prefixes=_prefixes(
        attribute=_ATTRIBUTE,
        metric="metric metrics",
        param="param params parameter parameters",
        tag="tag tags",
        dataset="dataset datasets",
    ),
    values={Entity.METRIC: NUMERIC, Entity.PARAM: TEXT | NULLS, Entity.TAG: TEXT | NULLS},
    datasets={key: _text(key, *LISTS) for key in ("name", "digest", "context")},
    orderable=frozenset({Entity.ATTRIBUTE, Entity.METRIC, Entity.PARAM, Entity.TAG}),
)
EXPERIMENTS = Grammar(
    attributes={
        "name": _text("name"),
        "experiment_id": Field("experiment_id", Kind.TEXT, frozenset({Op.EQ, Op.NE, Op.IN, Op.NOT_IN})),
        "creation_time": Field("creation_time", Kind.INTEGER, NUMERIC),
        "last_update_time": Field("last_update_time", Kind.INTEGER, NUMERIC),
    },
    prefixes=_prefixes(attribute="attribute", tag="tag tags"),
    values={Entity.TAG: TEXT | NULLS},
)
_UPDATED = Field("last_updated_timestamp", Kind.INTEGER, frozenset())
MODELS = Grammar(
    attributes={"name": _text("name", Op.IN), "timestamp": _UPDATED, "last_updated_timestamp": _UPDATED},
    prefixes=_prefixes(attribute="attribute", tag="tag tags"),
    values={Entity.TAG: TEXT},
)
VERSIONS = Grammar(
    attributes={
        "name": _text("name", *LISTS),
        "run_id": _text("run_id", *LISTS, orderable=False),
        "source_path": _text("source_path", orderable=False),
        "version_number": Field("version_number", Kind.VERSION, NUMERIC),
        "creation_timestamp": Field("creation_timestamp", Kind.INTEGER, frozenset()),
        "last_updated_timestamp": _UPDATED,
    },
    prefixes=_prefixes(attribute="attribute", tag="tag tags"),
    values={Entity.TAG: TEXT},
)
_CREATED = Field("creation_timestamp", Kind.NUMBER, NUMERIC)
_CHANGED = Field("last_updated_timestamp", Kind.NUMBER, NUMERIC)
LOGGED_MODELS = Grammar(
    attributes={
        **{key: _text(key, *LISTS) for key in ("name", "model_id", "model_type", "status", "source_run_id")},
        **dict.fromkeys(("creation_timestamp", "creation_time"), _CREATED),
        **dict.fromkeys(("last_updated_timestamp", "last_updated_time"), _CHANGED),
    },
    prefixes=_prefixes(attribute="attributes", metric="metrics", param="params", tag="tags"),
    values={Entity.METRIC: NUMERIC, Entity.PARAM: TEXT | LISTS, Entity.TAG: TEXT | LISTS},
    orderable=frozenset({Entity.ATTRIBUTE, Entity.METRIC}),
)

# Numbers take no step back and what is no token goes at once, so that the time stays in proportion to the text.
_TOKEN = re.compile(
    r"""(?P<space>\s+)
      |(?P<text>'(?:[^']|'')*'|"(?:[^"]|"")*")
      |(?P<number>[-+]?(?:\d++(?:\.\d*+)?+|\.\d++)(?:[eE][-+]?\d++)?+(?![\w.]))
      |(?P<name>(?:(?:attributes?|attr|run)\.)?[Rr]un[ ][Nn]ame\b
               |[^\W\d]\w*(?:\.(?:`[^`]*`|"[^"]*"|'[^']*'|[\w.]+))?
               |`[^`]*`(?:\.(?:`[^`]*`|[\w.]+))?)
      |(?P<sign><=|>=|!=|<>|==|=|<|>)
      |(?P<mark>[(),;])
      |(?P<other>[\w.]+|.)""",
    re.VERBOSE | re.DOTALL,
)
_WORDS = {"and", "or", "not", "in", "is", "null", "like", "ilike", "between", "rlike"}


@dataclass(frozen=True)
class _Token:
    kind: str
    text: str

    @property
    def word(self) -> str:
        return self.text.lower() if self.kind == "name" and self.text.lower() in _WORDS else ""


def parse_filter(text: str, grammar: Grammar) -> tuple[Comparison, ...]:
    """The conditions of a filter string. Raises Invalid with a sentence that names the clause."""
    if not text or not text.strip():
        return ()
    if len(text) > FILTER_MAX:
        raise Invalid(f"Search filter is longer than {FILTER_MAX} characters.")
    if "\0" in text:
        raise Invalid("Invalid clause(s) in filter string: a NUL character cannot be part of it.")
    tokens = [_Token(m.lastgroup or "", m.group()) for m in _TOKEN.finditer(text) if m.lastgroup != "space"]
    if any(token.text == ";" for token in tokens[:-1]):
        raise Invalid(f"Search filter contained multiple expression {text!r}. Provide AND-ed expression list.")
    if text.rstrip().endswith(";"):
        raise Invalid("Invalid clause(s) in filter string: ';'. Leave the semicolon out.")
    comparisons = tuple(_compare(clause, grammar) for clause in _clauses(tokens))
    if len(comparisons) > COMPARISONS_MAX:
        raise Invalid(f"Search filter has more than {COMPARISONS_MAX} comparisons.")
    return comparisons


def parse_order(clauses: Iterable[str], grammar: Grammar) -> tuple[Order, ...]:
    """The keys of an `order_by` list. Raises Invalid for an unknown field, a bad direction, or a field named twice."""
    orders: list[Order] = []
    for clause in clauses:
        if len(orders) == ORDERS_MAX:
            raise Invalid(f"`order_by` takes at most {ORDERS_MAX} fields.")
        order = _order(clause, grammar)
        if any((order.entity, order.key) == (other.entity, other.key) for other in orders):
            raise Invalid(f"`order_by` contains duplicate fields: '{clause}' was named before.")
        orders.append(order)
    return tuple(orders)


def _clauses(tokens: list[_Token]) -> Iterator[list[_Token]]:
    clause: list[_Token] = []
    for token in tokens:
        if token.word == "and":
            if clause:
                yield clause
            clause = []
        else:
            clause.append(token)
    if clause:
        yield clause


def _compare(clause: list[_Token], grammar: Grammar) -> Comparison:
    shown = " ".join(token.text for token in clause)
    if clause[0].kind not in ("name", "text") or clause[0].word or len(clause) < 2:
        raise Invalid(
            f"Invalid clause(s) in filter string: '{shown}'. Write comparisons as <field> <operator> <value>, joined with AND."
        )
    operator, rest = _operator(clause[1:], shown)
    entity, key, allowed, kind = _field(clause[0].text, grammar)
    if operator not in allowed:
        if operator in NULLS:
            raise Invalid(f"IS NULL / IS NOT NULL is only supported for tags and params, not for '{entity}' '{key}'.")
        if operator in LISTS:
            raise Invalid(f"The {entity} '{key}' does not support comparison with a list of quoted string values.")
        raise Invalid(f"Invalid comparator '{operator}' for {entity} '{key}', not one of {sorted(allowed)}.")
    return Comparison(entity, key, operator, _value(rest, operator, entity, key, kind, shown))


def _operator(tokens: list[_Token], shown: str) -> tuple[Operator, list[_Token]]:
    words = [token.word or (token.text if token.kind == "sign" else "") for token in tokens[:3]]
    for length in (3, 2, 1):
        spelled = " ".join(words[:length]).upper()
        if len(words) >= length and spelled in Operator._value2member_map_:
            return Operator(spelled), tokens[length:]
    if words and tokens[0].kind == "sign":
        raise Invalid(f"Invalid comparator '{tokens[0].text}' in '{shown}'.")
    raise Invalid(
        f"Invalid clause(s) in filter string: '{shown}'. Write comparisons as <field> <operator> <value>, joined with AND."
    )


def _field(name: str, grammar: Grammar) -> tuple[Entity, str, frozenset[Operator], Kind]:
    prefix, dot, rest = name.partition(".")
    if dot and not name.startswith(("'", '"')):
        entity = grammar.prefixes.get(_unquote(prefix))
        if entity is None:
            raise Invalid(f"Invalid entity type '{prefix}'. Valid values are {sorted(grammar.prefixes)}.")
        key = _unquote(rest)
    else:
        entity, key = Entity.ATTRIBUTE, _unquote(name)
    if entity in (Entity.ATTRIBUTE, Entity.DATASET):
        fields = grammar.attributes if entity is Entity.ATTRIBUTE else grammar.datasets
        if key not in fields:
            raise Invalid(f"Invalid {entity} key '{key}' specified. Valid keys are {sorted(fields)}.")
        return entity, fields[key].key, fields[key].operators, fields[key].kind
    return entity, key, grammar.values[entity], Kind.NUMBER if entity is Entity.METRIC else Kind.TEXT


def _value(tokens: list[_Token], operator: Operator, entity: Entity, key: str, kind: Kind, shown: str) -> Value:
    if operator in NULLS:
        if tokens:
            raise Invalid(f"Invalid clause(s) in filter string: '{shown}'.")
        return None
    if operator in LISTS:
        return _list(tokens, shown)
    if len(tokens) != 1:
        raise Invalid(f"Invalid clause(s) in filter string: '{shown}'.")
    token = tokens[0]
    if kind is Kind.TEXT:
        if token.kind == "number":
            raise Invalid(
                f"Expected a quoted string value for {entity} '{key}' (e.g. 'my-value'). Got value {token.text}."
            )
        if token.kind != "text":
            raise Invalid(
                f"Parameter value is either not quoted or unidentified quote types used for string value {token.text}."
                " Use either single or double quotes."
            )
        return _unquote(token.text)
    number = token.text
    if kind is Kind.VERSION and token.kind == "text":
        number = _unquote(token.text)
    elif token.kind != "number":
        raise Invalid(f"Expected numeric value type for {entity} '{key}'. Found {token.text}.")
    return _number(number, entity, key, kind)


def _number(text: str, entity: Entity, key: str, kind: Kind) -> int | float:
    if re.fullmatch(r"[-+]?\d{1,18}", text):
        return float(text) if entity is Entity.METRIC else int(text)
    if kind in (Kind.INTEGER, Kind.VERSION):
        raise Invalid(f"Expected an integer value for {entity} '{key}'. Found {text}.")
    try:
        return float(text)
    except ValueError:
        raise Invalid(f"Expected numeric value type for {entity} '{key}'. Found {text}.") from None


def _list(tokens: list[_Token], shown: str) -> tuple[str, ...]:
    inside = tokens[1:-1]
    if len(tokens) < 2 or tokens[0].text != "(" or tokens[-1].text != ")":
        raise Invalid(f"While parsing a list in the query '{shown}': write IN ('a', 'b').")
    items, commas = inside[::2], inside[1::2]
    if not items:
        raise Invalid(
            "While parsing a list in the query, expected a non-empty list of string values, but got empty list."
        )
    if any(item.kind != "text" for item in items) or any(comma.text != "," for comma in commas):
        raise Invalid(
            "While parsing a list in the query, expected a non-empty list of quoted string values, but got ill-formed list."
        )
    return tuple(_unquote(item.text) for item in items)


def _order(clause: str, grammar: Grammar) -> Order:
    tokens = [
        _Token(m.lastgroup or "", m.group()) for m in _TOKEN.finditer(clause[:FILTER_MAX]) if m.lastgroup != "space"
    ]
    if not tokens or len(tokens) > 2 or tokens[0].kind not in ("name", "text") or "\0" in clause:
        raise Invalid(f"Invalid order_by clause '{clause}'. Could not be parsed.")
    direction = tokens[1].text.lower() if len(tokens) == 2 else "asc"
    if direction not in ("asc", "desc"):
        raise Invalid(f"Invalid ordering key in order_by clause '{clause}'.")
    entity, key, _, _ = _field(tokens[0].text, grammar)
    by_key = {item.key: item for item in grammar.attributes.values()}
    if entity not in grammar.orderable or (entity is Entity.ATTRIBUTE and not by_key[key].orderable):
        raise Invalid(f"Invalid order by key '{key}' specified: a search cannot be ordered by it.")
    return Order(entity, key, direction == "asc")


def _unquote(text: str) -> str:
    for quote in ("'", '"', "`"):
        if len(text) >= 2 and text.startswith(quote) and text.endswith(quote):
            return text[1:-1].replace(quote * 2, quote) if quote != "`" else text[1:-1]
    return text
