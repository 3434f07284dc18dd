"""A model's signature as rows, and what changed between two of them. Nothing in a signature is taken for granted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

PARTS = ("inputs", "outputs", "params")
NAME_MAX = 300


@dataclass(frozen=True)
class Column:
    """One column of a part of a signature; outputs and tensors may have no name."""

    part: str
    name: str
    type: str
    optional: bool
    default: str = ""


@dataclass(frozen=True)
class Change:
    """One difference: `sign` is + for a column that came, − for one that went, ~ for one whose type or need changed."""

    sign: str
    part: str
    name: str
    type: str
    note: str

    @property
    def breaks(self) -> bool:
        """Whether requests that the version before took may be refused: a needed input came, or one changed its type."""
        return self.part == "inputs" and (self.sign == "~" or (self.sign == "+" and self.note == "required"))


def columns(facts: Mapping[str, Any]) -> list[Column]:
    """The columns of the signature in a version's facts."""
    signature = facts.get("signature")
    found = []
    for part in PARTS:
        rows = signature.get(part) if isinstance(signature, dict) else None
        for row in rows if isinstance(rows, list) else []:
            if isinstance(row, dict):
                tensor = row.get("tensor-spec")
                spec = tensor if isinstance(tensor, dict) else row
                kind = f"{spec.get('dtype') or spec.get('type', '')} {spec.get('shape') or ''}".strip()
                default = "" if row.get("default") is None else str(row["default"])
                name = str(row.get("name", ""))[:NAME_MAX]
                found.append(Column(part, name, kind[:NAME_MAX], row.get("required") is False, default[:NAME_MAX]))
    return found


def changes(before: Sequence[Column], after: Sequence[Column]) -> list[Change]:
    """What came, what changed and what went, by part."""
    old = {(column.part, column.name): column for column in before}
    new = {(column.part, column.name): column for column in after}
    found = []
    for key, column in new.items():
        need = "optional" if column.optional else "required"
        was = old.get(key)
        if was is None:
            found.append(Change("+", column.part, column.name, column.type, need))
        elif was.type != column.type:
            found.append(Change("~", column.part, column.name, column.type, f"was {was.type}"))
        elif was.optional and not column.optional:
            found.append(Change("~", column.part, column.name, column.type, "was optional"))
    gone = [Change("−", column.part, column.name, column.type, "") for key, column in old.items() if key not in new]
    return found + gone


def summary(found: Sequence[Change]) -> str:
    """The changes in a few characters: `+2 −1 inputs`; empty when there are none."""
    words = []
    for part in PARTS:
        counts = {sign: sum(change.sign == sign and change.part == part for change in found) for sign in "+−~"}
        if any(counts.values()):
            words.append(" ".join(f"{sign}{count}" for sign, count in counts.items() if count) + f" {part}")
    return ", ".join(words)
