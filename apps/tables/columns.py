"""What people say of columns: descriptions and tags, and which columns tell one row from another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from apps.foundation.errors import Invalid
from apps.tables.computations import is_plain
from apps.tables.models import ColumnNote, Table

TAGS_MAX = 20
TAG_LENGTH = 60
DESCRIPTION_LENGTH = 2000
KEY_MAX = 16


def notes_of(table: Table) -> dict[str, ColumnNote]:
    """What is said of the table's columns, by name in small letters."""
    return {note.name: note for note in table.column_notes.all()}


def describe(
    table: Table, column: str, description: str | None, tags: Sequence[str] | None
) -> tuple[ColumnNote, dict[str, Any], dict[str, Any]]:
    """The changed note, with what was said before and after. Raises Invalid."""
    name = _own_name(table, column)
    note = ColumnNote.objects.filter(table=table, name=name.lower()).first() or ColumnNote(
        table=table, name=name.lower()
    )
    before = {"column": name, "description": note.description, "tags": note.tags}
    if description is not None:
        if len(description) > DESCRIPTION_LENGTH:
            raise Invalid(fields={"description": f"At most {DESCRIPTION_LENGTH} characters."})
        note.description = description.strip()
    if tags is not None:
        note.tags = _clean(tags)
    note.save()
    return note, before, {"column": name, "description": note.description, "tags": note.tags}


def columns_of_key(table: Table, columns: Sequence[str]) -> list[str]:
    """The columns of a key as the table writes them. Raises Invalid."""
    types = {str(item["name"]): str(item["type"]) for item in table.columns}
    names = list(dict.fromkeys(_own_name(table, column, "columns") for column in columns))
    if len(names) > KEY_MAX:
        raise Invalid(fields={"columns": f"A key has at most {KEY_MAX} columns."})
    if unfit := [name for name in names if not is_plain(types[name])]:
        raise Invalid(
            fields={"columns": f"{', '.join(unfit)} cannot be part of a key: lists and structs do not tell rows apart."}
        )
    return names


def _own_name(table: Table, column: str, field: str = "column") -> str:
    wanted = column.lower()
    name = next((str(item["name"]) for item in table.columns if str(item["name"]).lower() == wanted), None)
    if name is None:
        raise Invalid(fields={field: f"{table.name} has no column “{column[:60]}”."})
    return name


def _clean(tags: Sequence[str]) -> list[str]:
    found = list(dict.fromkeys(" ".join(str(tag).split()) for tag in tags if str(tag).strip()))
    if len(found) > TAGS_MAX or any(len(tag) > TAG_LENGTH for tag in found):
        raise Invalid(fields={"tags": f"At most {TAGS_MAX} tags of {TAG_LENGTH} characters each."})
    return found
