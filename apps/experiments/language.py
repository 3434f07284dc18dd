"""The language of the run table's search box: MLflow's filter strings, our `field:value`, and plain words that search the name. Pure.

`metrics.rmse < 15 and params.months = "1-3"`, `status:failed`, `-user:ada`, `created:<7d`, `params.model in (ridge, lightgbm)`.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from apps.experiments.search import Comparison, Entity, Operator, Value
from apps.foundation.errors import Invalid

TEXT_MAX = 4_000
PARTS_MAX = 50
ENTITIES = {
    **dict.fromkeys(("metrics", "metric"), Entity.METRIC),
    **dict.fromkeys(("params", "param", "parameters", "parameter"), Entity.PARAM),
    **dict.fromkeys(("tags", "tag"), Entity.TAG),
    **dict.fromkeys(("datasets", "dataset"), Entity.DATASET),
}
PREFIX = {Entity.METRIC: "metrics", Entity.PARAM: "params", Entity.TAG: "tags", Entity.DATASET: "datasets"}
FIELDS = {
    "status": "status",
    "state": "status",
    "name": "run_name",
    "run_name": "run_name",
    "user": "user_id",
    "user_id": "user_id",
    "run_id": "run_id",
    "created": "start_time",
    "start_time": "start_time",
    "ended": "end_time",
    "end_time": "end_time",
}
SHOWN_FIELDS = ("status", "name", "user", "created", "ended", "run_id")
TIMES = ("start_time", "end_time")
STATUSES = ("RUNNING", "SCHEDULED", "FINISHED", "FAILED", "KILLED")
DATASET_FIELDS = ("name", "digest", "context")

_HEAD = re.compile(
    r"(?P<minus>-?)(?P<name>[A-Za-z_]\w*+(?:\.(?:`[^`]++`|\"[^\"]++\"|'[^']++'|[^\s<>=!~:()\"'`,]++))?+)"
    r"(?:\s*+(?P<sign>:>=|:<=|:>|:<|:|<=|>=|!=|!~|==|=|<|>|~)|\s++(?P<word>not\s++in|in|not\s++like|ilike|like|is\s++not\s++null|is\s++null)\b)\s*+",
    re.IGNORECASE,
)
_VALUE = re.compile(r"\"(?:[^\"]|\"\")*+\"|'(?:[^']|'')*+'|[^\s,()]++")
_LIST = re.compile(
    r"\(\s*+(?:\"[^\"]*+\"|'[^']*+'|[^\s,()\"']++)(?:\s*+,\s*+(?:\"[^\"]*+\"|'[^']*+'|[^\s,()\"']++))*+\s*+\)"
)
_ITEM = re.compile(r"\"([^\"]*+)\"|'([^']*+)'|([^\s,()\"']++)")
_WORD = re.compile(r"\s*+(\S++)\s*+")
_AGE = re.compile(r"(\d{1,5})(m|h|d|w)")
_SIGNS = {
    ":": Operator.EQ,
    "=": Operator.EQ,
    "==": Operator.EQ,
    "!=": Operator.NE,
    "~": Operator.ILIKE,
    **{sign: Operator(sign.lstrip(":")) for sign in ("<", "<=", ">", ">=", ":<", ":<=", ":>", ":>=")},
    "like": Operator.LIKE,
    "ilike": Operator.ILIKE,
    "in": Operator.IN,
    "not in": Operator.NOT_IN,
    "is null": Operator.IS_NULL,
    "is not null": Operator.IS_NOT_NULL,
}
_ORDERED = (Operator.LT, Operator.LE, Operator.GT, Operator.GE)
_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


@dataclass(frozen=True)
class Part:
    """One finished part of a search: `text` as it was typed; `problem` says why it cannot be asked, else `asks` is there."""

    name: str
    operator: str
    value: str
    text: str
    negated: bool = False
    asks: Comparison | None = None
    problem: str = ""


@dataclass(frozen=True)
class Query:
    """A typed search: its parts, and plain words."""

    parts: Sequence[Part] = ()
    words: str = ""
    where: tuple[Comparison, ...] = field(default=())

    @property
    def empty(self) -> bool:
        """Whether nothing is asked."""
        return not self.parts and not self.words

    @property
    def problems(self) -> list[str]:
        """What is wrong with it, a sentence each."""
        return [part.problem for part in self.parts if part.problem]

    @property
    def text(self) -> str:
        """All of it as one line."""
        return " and ".join([part.text for part in self.parts] + ([self.words] if self.words else []))


def parse_query(texts: Iterable[str], at: datetime) -> Query:
    """What was typed, as conditions of a search. Wrong parts come back marked and are not asked. Raises Invalid when it is too long."""
    parts: list[Part] = []
    words: list[str] = []
    for text in texts:
        if len(text) > TEXT_MAX:
            raise Invalid(f"A search is at most {TEXT_MAX:,} characters long.")
        place = 0
        while place < len(text):
            head = _HEAD.match(text, place) if not place or not text[place - 1].isalnum() else None
            if head and (found := _part(text, head)):
                part, place = found
                parts.append(part)
            else:
                word = _WORD.match(text, place)
                if word is None:
                    break
                place = word.end()
                if word[1].lower() != "and":
                    words.append(word[1].strip("\"'"))
            while place < len(text) and text[place].isspace():
                place += 1
    if len(parts) > PARTS_MAX:
        raise Invalid(f"A search has at most {PARTS_MAX} parts.")
    parts = [_asked(part, at) for part in dict.fromkeys(parts)]
    where = [part.asks for part in parts if part.asks]
    if words:
        where.append(Comparison(Entity.ATTRIBUTE, "run_name", Operator.ILIKE, f"%{_plain(' '.join(words))}%"))
    return Query(parts, " ".join(words), tuple(where))


def _plain(text: str) -> str:
    # LIKE has no escape character here, so its two wildcards become "any one character".
    return text.replace("%", "_")


def _part(text: str, head: re.Match[str]) -> tuple[Part, int] | None:
    if head["word"] and "." not in head["name"] and head["name"].lower() not in FIELDS:
        return None  # "nothing like this" are words
    operator = " ".join((head["sign"] or head["word"]).lower().split())
    place, value = head.end(), ""
    if not operator.endswith("null"):
        match = (_LIST if operator.endswith("in") and head["word"] else _VALUE).match(text, place)
        if match is None:
            return None
        place, value = match.end(), match.group()
    typed = text[head.start() : place].strip()
    return Part(head["name"], operator, value, typed, bool(head["minus"])), place


def _asked(part: Part, at: datetime) -> Part:
    try:
        asks = _comparison(part, at)
    except ValueError as problem:
        return Part(part.name, part.operator, part.value, part.text, part.negated, problem=f"{part.text}: {problem}")
    return Part(part.name, part.operator, part.value, part.text, part.negated, asks)


def _comparison(part: Part, at: datetime) -> Comparison:
    entity, key = _field(part.name)
    sign = part.operator
    if part.negated and sign not in (":", "=", "=="):
        raise ValueError("only field:value can be turned round with a minus.")
    if sign in ("!~", "not like"):
        raise ValueError("“does not contain” cannot be asked; use != or not in.")
    operator = Operator.NE if part.negated else _SIGNS[sign]
    if operator in (Operator.IS_NULL, Operator.IS_NOT_NULL):
        if entity not in (Entity.PARAM, Entity.TAG):
            raise ValueError("only parameters and tags can be asked for being there.")
        return Comparison(entity, key, operator, None)
    if operator in (Operator.IN, Operator.NOT_IN):
        if entity is Entity.METRIC or key in TIMES:
            raise ValueError("a number is compared with <, <=, >, >=, = or !=.")
        items = tuple("".join(groups) for groups in _ITEM.findall(part.value))
        return Comparison(entity, key, operator, tuple(_word(entity, key, item) for item in items))
    return Comparison(entity, key, *_operand(entity, key, operator, _unquoted(part.value), at))


def _operand(entity: Entity, key: str, operator: Operator, text: str, at: datetime) -> tuple[Operator, Value]:
    if entity is Entity.METRIC:
        if operator in (Operator.LIKE, Operator.ILIKE):
            raise ValueError("a metric is compared with <, <=, >, >=, = or !=.")
        try:
            return operator, float(text)
        except ValueError:
            raise ValueError("a metric is compared with a number.") from None
    if entity is Entity.ATTRIBUTE and key in TIMES:
        return _moment(operator, text, at)
    if operator in _ORDERED:
        raise ValueError("this is text; compare with =, !=, ~ or in.")
    if operator is Operator.ILIKE and "%" not in text:
        text = f"%{text}%"
    return operator, _word(entity, key, text)


def _word(entity: Entity, key: str, text: str) -> str:
    return text.upper() if entity is Entity.ATTRIBUTE and key == "status" else text


def _moment(operator: Operator, text: str, at: datetime) -> tuple[Operator, int]:
    """`created:<7d` is an age, from the start of today so that pages of one list agree; `created > 2026-11-01` a date; digits are milliseconds."""
    if operator not in _ORDERED:
        raise ValueError("compare with <, <=, > or >=: an age such as 7d, or a date.")
    if age := _AGE.fullmatch(text):
        base = at if age[2] in "mh" else at.replace(hour=0)
        moment = base.replace(minute=0, second=0, microsecond=0) - timedelta(**{_UNITS[age[2]]: int(age[1])})
        turned = {
            Operator.LT: Operator.GT, Operator.LE: Operator.GE, Operator.GT: Operator.LT, Operator.GE: Operator.LE,
        }  # fmt: skip
        return turned[operator], round(moment.timestamp() * 1000)
    if text.isdigit() and len(text) <= 16 and len(text) > 8:
        return operator, int(text)
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError("give an age such as 7d or 12h, or a date such as 2026-11-01.") from None
    return operator, round((parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).timestamp() * 1000)


def _field(name: str) -> tuple[Entity, str]:
    head, dot, key = name.partition(".")
    word = head.lower()
    if dot and word in ("attributes", "attribute", "attr", "run"):
        word, dot, key = _unquoted(key).lower(), "", ""
    if dot and word in ENTITIES:
        entity, key = ENTITIES[word], _unquoted(key)
        if entity is Entity.DATASET and key not in DATASET_FIELDS:
            raise ValueError(f"datasets have {', '.join(DATASET_FIELDS)}.")
        return entity, key
    if not dot and word in FIELDS:
        return Entity.ATTRIBUTE, FIELDS[word]
    near = difflib.get_close_matches(word, [*SHOWN_FIELDS, "metrics", "params", "tags"], 1, 0.5)
    offered = near[0] if near else "metrics.…, params.…, tags.… or status, name, user, created"
    if offered in PREFIX.values():
        offered += f".{key}" if key else ".…"
    raise ValueError(f"there is no field {name[:60]}. Did you mean {offered}?")


def _unquoted(text: str) -> str:
    if len(text) >= 2 and text[0] == text[-1] and text[0] in "\"'`":
        return text[1:-1].replace(text[0] * 2, text[0])
    return text


def quoted(text: str) -> str:
    """A value as it is typed in a search."""
    return text if text and re.fullmatch(r"[\w./+@-]+", text) else '"' + text.replace('"', '""') + '"'


def name_of(entity: Entity, key: str) -> str:
    """A key as it is typed in a search: `metrics.rmse`, `` params.`odd key` ``."""
    plain = re.fullmatch(r"[^\s<>=!~:()\"'`,]+", key)
    return f"{PREFIX[entity]}.{key if plain else f'`{key}`'}"
