"""Runs in the order of one text: a parameter, a tag, or a field of the run. Reads the first values with their ties, not all runs.

A plan like those of `finder`, which asks it first; it gives up (None) where its shortcut would not fill the page.
"""

from __future__ import annotations

from typing import Any

from apps.experiments.search import Entity, Order, RunSearch, Stage
from apps.experiments.sets import ATTRIBUTES, TABLES, Opened, Sql, matching

Rows = list[tuple[int, list[Any]]]


def by_text(search: RunSearch, within: Opened, key: Order, after: list[Any] | None) -> Any:
    """(run, [0, value, start, uuid]) of a page and one more, or None. A generator of statements."""
    if search.stage is not Stage.ACTIVE or within.trashed or len(within.numbers) != 1 or after and after[0] != 0:
        return None
    text = yield from (_field if key.entity is Entity.ATTRIBUTE else _keyed)(search, within, key, after)
    return text


def _keyed(search: RunSearch, within: Opened, key: Order, after: list[Any] | None) -> Any:
    wanted, way = search.size + 1, "asc" if key.ascending else "desc"
    statement, hits = _hits(search, within)
    statement.add(
        f"top as materialized (select p.run_id, p.value, p.head from {TABLES[key.entity]} p where p.{within.clause()} and p.key = %s",
        key.key,
    )
    if hits:
        statement.add(" and p.run_id in (select run_id from hits)")
    if after:
        # The last page's ties are read again in full, so that none of them is passed over.
        statement.add(f" and p.head {'>=' if key.ascending else '<='} left(%s, 250)", after[1])
    # Twice the page, because what comes after the last one's ties has to fill it.
    statement.add(f" order by p.head {way} fetch first {wanted * (2 if after else 1)} rows with ties)")
    statement.add(" select r.id, p.value, r.start_time, r.uuid from top p join experiments_run r on r.id = p.run_id")
    statement.add(" where r.deleted_at is null").then(_later('p.value collate "C"', key, after))
    statement.add(f' order by p.value collate "C" {way}, r.start_time desc, r.uuid limit {wanted}')
    rows = yield statement
    if len(rows) < wanted:
        return None
    return [(row[0], [0, *map(_plain, row[1:4])]) for row in rows]


def _field(search: RunSearch, within: Opened, key: Order, after: list[Any] | None) -> Any:
    attribute, way = ATTRIBUTES[key.key], "asc" if key.ascending else "desc"
    if not attribute.text or key.key == "artifact_uri":
        return None
    column = f'{attribute.column} collate "C"'
    statement, hits = _hits(search, within)
    if not hits:
        statement = Sql()
    else:
        statement.text = statement.text.rstrip().removesuffix(",") + " "
    statement.add(
        f"select r.id, {column}, r.start_time, r.uuid from experiments_run r where r.{within.clause()} and r.deleted_at is null"
    )
    if hits:
        statement.add(" and r.id in (select run_id from hits)")
    statement.then(_later(column, key, after))
    rows = yield statement.add(f" order by 2 {way}, r.start_time desc, r.uuid limit {search.size + 1}")
    return [(row[0], [0, *map(_plain, row[1:4])]) for row in rows]


def _hits(search: RunSearch, within: Opened) -> tuple[Sql, bool]:
    if not search.where:
        return Sql("with "), False
    return Sql("with hits as materialized (").then(matching(search, within)).add("), "), True


def _later(column: str, key: Order, after: list[Any] | None) -> Sql:
    if not after:
        return Sql()
    _, value, start, uuid = after
    beyond = ">" if key.ascending else "<"
    return Sql(
        f" and ({column} {beyond} %s or {column} = %s and (r.start_time < %s or r.start_time = %s and r.uuid > %s::uuid))",
        [value, value, start, start, uuid],
    )


def _plain(value: Any) -> Any:
    return value if isinstance(value, int | float | str) else str(value)
