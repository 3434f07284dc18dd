"""The one door to Delta Lake: versions, commits, restore, history and previews of tables below a folder that we assigned.

Every function takes the table's root folder. Nobody but this file writes a `_delta_log`, and every path a log names is
checked to lie under its root before anything opens it.
"""

from __future__ import annotations

import json
import os
import random
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from apps.foundation.errors import Conflict, Invalid, NotFound, Stale, Unavailable
from apps.foundation.ids import new_id
from apps.tables.arrow import Later, pa
from apps.tables.log import (
    FACTS,
    MARK,
    Commit,
    DataFile,
    NewFile,
    Once,
    Snapshot,
    checked_path,
    log_entries,
    log_file,
    regular_files,
    settle,
)
from apps.tables.parquet import open_file

if TYPE_CHECKING:
    import deltalake
    import deltalake.exceptions
    import deltalake.transaction
else:
    deltalake = Later("deltalake")

COMMIT_TRIES = 20
WARM_TABLES = 64
WARM_SNAPSHOTS = 256
PREVIEW_FILES = 4
# Old versions stay readable: nothing but our own vacuum may ever shorten a log.
_KEEP_LOG = {"delta.enableExpiredLogCleanup": "false", "delta.checkpointInterval": "100"}
_UNREADABLE_FEATURES = {"deletionVectors", "columnMapping"}


class _Warm:
    """Open tables and finished snapshots of this process, the least used let go first."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._tables: OrderedDict[str, tuple[deltalake.DeltaTable, threading.Lock]] = OrderedDict()
        self._snapshots: OrderedDict[tuple[str, int], Snapshot] = OrderedDict()

    @contextmanager
    def fresh(self, root: str) -> Iterator[deltalake.DeltaTable]:
        """The table as it is now, for one caller of this process at a time; let go of when something goes wrong with it."""
        (table, lock), is_new = self._opened(root)
        with lock:
            try:
                if not is_new:
                    table.update_incremental()
                yield table
            except deltalake.exceptions.DeltaError:
                self._drop(root)
                raise

    def newest(self, root: str) -> Snapshot:
        try:
            with self.fresh(root) as table:
                return self._keep(root, table)
        except deltalake.exceptions.DeltaError:
            return self._keep(root, _open(root))

    def at(self, root: str, version: int) -> Snapshot:
        with self._lock:
            if found := self._snapshots.get((root, version)):
                self._snapshots.move_to_end((root, version))
                return found
        if version < 0 or not log_file(Path(root), version).exists():
            newest = self.newest(root).version
            raise NotFound(f"There is no version {version}; the table has versions 0 to {newest}.")
        return self._keep(root, _open(root, version))

    def forget(self, root: str) -> None:
        self._drop(root)
        with self._lock:
            for key in [key for key in self._snapshots if key[0] == root]:
                del self._snapshots[key]

    def _drop(self, root: str) -> None:
        with self._lock:
            self._tables.pop(root, None)

    def _opened(self, root: str) -> tuple[tuple[deltalake.DeltaTable, threading.Lock], bool]:
        with self._lock:
            if found := self._tables.get(root):
                self._tables.move_to_end(root)
                return found, False
        fresh = (_open(root), threading.Lock())
        with self._lock:
            found = self._tables.setdefault(root, fresh)
            while len(self._tables) > WARM_TABLES:
                self._tables.popitem(last=False)
        return found, found is fresh

    def _keep(self, root: str, table: deltalake.DeltaTable) -> Snapshot:
        key = (root, table.version())
        with self._lock:
            if found := self._snapshots.get(key):
                self._snapshots.move_to_end(key)
                return found
        made = _snapshot(root, table)
        with self._lock:
            self._snapshots[key] = made
            while len(self._snapshots) > WARM_SNAPSHOTS:
                self._snapshots.popitem(last=False)
        return made


_warm = _Warm()


def exists(root: Path) -> bool:
    """Whether a table lies at `root`."""
    return deltalake.DeltaTable.is_deltatable(str(root))


def snapshot(root: Path, version: int | None = None) -> Snapshot:
    """The table in `version`, or as it is now; NotFound when there is no such table or version."""
    return _warm.newest(str(root)) if version is None else _warm.at(str(root), version)


def forget(root: Path) -> None:
    """Lets go of what this process keeps of a table: for one that is deleted."""
    _warm.forget(str(root))


def create(
    root: Path, schema: pa.Schema, files: Sequence[NewFile] = (), *, facts: dict[str, object], once: Once | None = None
) -> Commit:
    """Version 0 of a new table, with `files` in it; the same `once` again changes nothing, another table there is a Conflict."""
    if exists(root):
        done = _applied(root, _open(str(root)), once)
        if done is None:
            raise Conflict("A table lies there already.")
        return Commit(done, applied=False)
    _check_files(root, files, schema)
    try:
        deltalake.transaction.create_table_with_add_actions(
            str(root),
            deltalake.Schema.from_arrow(schema),
            _adds(root, files),
            mode="error",
            configuration=_KEEP_LOG,
            commit_properties=_properties(facts, str(new_id()), once),
            post_commithook_properties=_after_commit(),
        )
    except deltalake.exceptions.DeltaError as error:
        if exists(root):
            raise Conflict("A table was made there at the same moment.") from error
        raise Unavailable(f"The table could not be made: {str(error)[:200]}") from error
    settle(root, 0)
    return Commit(0)


def append(root: Path, files: Sequence[NewFile], *, facts: dict[str, object], once: Once | None = None) -> Commit:
    """The version that added `files`; concurrent appends all stay. Columns missing from a file read as null."""

    def commit(table: deltalake.DeltaTable, mark: str) -> None:
        schema = pa.schema(table.schema())
        _check_files(root, files, schema)
        table.create_write_transaction(
            _adds(root, files),
            "append",
            deltalake.Schema.from_arrow(schema),
            commit_properties=_properties(facts, mark, once),
            post_commithook_properties=_after_commit(),
        )

    return _commit(root, commit, once)


def overwrite(
    root: Path,
    files: Sequence[NewFile],
    schema: pa.Schema,
    *,
    facts: dict[str, object],
    once: Once | None = None,
    expected: int | None = None,
) -> Commit:
    """The version in which the table is exactly `files`. Never leaves or drops rows of a commit it did not see: it tries again."""
    _check_files(root, files, schema)

    def commit(table: deltalake.DeltaTable, mark: str) -> None:
        if expected is not None and table.version() != expected:
            raise Stale(f"The table is at version {table.version()}, not {expected}.")
        table.create_write_transaction(
            _adds(root, files),
            "overwrite",
            deltalake.Schema.from_arrow(schema),
            commit_properties=_properties(facts, mark, once, retry=False),
            post_commithook_properties=_after_commit(),
        )

    return _commit(root, commit, once)


def restore(root: Path, version: int, *, facts: dict[str, object], once: Once | None = None) -> Commit:
    """The new version that holds what `version` held; all versions between stay in the history."""
    newest = snapshot(root).version
    if not 0 <= version <= newest:
        raise NotFound(f"There is no version {version}; the table has versions 0 to {newest}.")

    def commit(table: deltalake.DeltaTable, mark: str) -> None:
        table.restore(
            version,
            commit_properties=_properties(facts, mark, once, retry=False),
            post_commithook_properties=_after_commit(),
        )

    return _commit(root, commit, once)


def replace_files(
    root: Path, joined: NewFile, replaced: Sequence[str], written_at: int, *, facts: dict[str, object]
) -> Commit:
    """The version that has `joined` in place of files with the same rows; every other version stays as it is.

    `written_at` (milliseconds) is the age of its rows: it keeps the file's place among the others, newest first. The engine's
    own compaction keeps no order, so this commit is written here. Raises Conflict when one of the files is gone meanwhile.
    """
    here = snapshot(root)
    sizes = {file.path: file.bytes for file in here.files}
    if missing := [path for path in replaced if path not in sizes]:
        raise Conflict(f"{len(missing)} of the files to join were replaced meanwhile.")
    _check_files(root, [joined], here.schema)
    at = int(time.time() * 1000)
    told = {"timestamp": at, "operation": "OPTIMIZE", "operationParameters": {}, FACTS: facts, MARK: str(new_id())}
    add = {"path": joined.name, "partitionValues": {}, "size": joined.footer.bytes, "modificationTime": written_at, "dataChange": False, "stats": joined.footer.stats}  # fmt: skip
    removes = [{"path": path, "deletionTimestamp": at, "dataChange": False, "extendedFileMetadata": True, "partitionValues": {}, "size": sizes[path]} for path in replaced]  # fmt: skip
    lines = [{"commitInfo": told}, *({"remove": item} for item in removes), {"add": add}]
    target = log_file(root, here.version + 1)
    draft = target.with_name(f".{new_id()}.json.tmp")
    try:
        draft.write_text("\n".join(map(json.dumps, lines)))
        # Linking fails where somebody else made this version: nobody's commit is ever written over.
        os.link(draft, target)
    except FileExistsError as error:
        raise Conflict("Somebody wrote the table at the same moment.") from error
    finally:
        draft.unlink(missing_ok=True)
    settle(root, here.version + 1)
    return Commit(here.version + 1)


def add_columns(root: Path, fields: Sequence[pa.Field], *, facts: dict[str, object]) -> Commit:
    """The version that has `fields` as well, null in every row so far."""

    def commit(table: deltalake.DeltaTable, mark: str) -> None:
        wanted = deltalake.Schema.from_arrow(pa.schema([item.with_nullable(True) for item in fields])).fields
        table.alter.add_columns(
            wanted,
            commit_properties=_properties(facts, mark, None, retry=False),
            post_commithook_properties=_after_commit(),
        )

    return _commit(root, commit, None)


def preview(root: Path, table: Snapshot, limit: int = 100, columns: Sequence[str] | None = None) -> pa.Table:
    """Up to `limit` of the newest rows: the first row group of the newest file, and of a few more where that is short."""
    schema = table.schema if columns is None else pa.schema([table.schema.field(name) for name in columns])
    parts: list[pa.Table] = []
    missing = limit
    for file in table.files[:PREVIEW_FILES]:
        if missing <= 0:
            break
        if file.rows == 0:
            continue
        try:
            part = _head(root / file.path, schema, missing)
        except (pa.ArrowException, OSError, ValueError) as error:
            raise Unavailable(f"A file of version {table.version} cannot be read: {type(error).__name__}.") from error
        parts.append(part)
        missing -= part.num_rows
    return pa.concat_tables(parts) if parts else schema.empty_table()


def fit(part: pa.Table, schema: pa.Schema) -> pa.Table:
    """`part` with exactly the columns of `schema`: what it lacks is null, what is too much is left out."""
    have = set(part.column_names)
    arrays = [
        part[item.name].cast(item.type) if item.name in have else pa.nulls(part.num_rows, item.type) for item in schema
    ]
    return pa.Table.from_arrays(arrays, schema=schema)


def _head(path: Path, schema: pa.Schema, limit: int) -> pa.Table:
    with open_file(path) as file:
        have = set(file.schema_arrow.names)
        wanted = [name for name in schema.names if name in have]
        if not wanted:
            return fit(pa.table({"": pa.nulls(min(limit, file.metadata.row_group(0).num_rows))}), schema)
        batch = next(file.iter_batches(batch_size=limit, row_groups=[0], columns=wanted, use_threads=False), None)
        return schema.empty_table() if batch is None else fit(pa.Table.from_batches([batch]).slice(0, limit), schema)


def _open(root: str, version: int | None = None) -> deltalake.DeltaTable:
    try:
        table = deltalake.DeltaTable(root, version=version)
        protocol = table.protocol()
    except deltalake.exceptions.TableNotFoundError as error:
        raise NotFound("There is no table.") from error
    except (deltalake.exceptions.DeltaProtocolError, deltalake.exceptions.DeltaError) as error:
        raise Unavailable(f"The table cannot be opened: {str(error)[:200]}") from error
    foreign = _UNREADABLE_FEATURES & set(protocol.reader_features or ())
    if foreign or table.metadata().partition_columns:
        raise Invalid(
            f"The table uses {', '.join(sorted(foreign)) or 'partition columns'}, which Boathouse does not read."
        )
    return table


def _snapshot(root: str, table: deltalake.DeltaTable) -> Snapshot:
    real = os.path.realpath(root)
    actions = pa.table(table.get_add_actions(flatten=False))
    plain = regular_files(real)
    paths = [path if path in plain else checked_path(real, path) for path in actions["path"].to_pylist()]
    counts = zip(paths, actions["num_records"].to_pylist(), strict=True)
    files = list(map(DataFile, paths, actions["size_bytes"].to_pylist(), [_row_count(root, *pair) for pair in counts]))
    moments = actions["modification_time"].to_pylist()
    places = sorted(range(len(files)), key=lambda place: (moments[place], paths[place]), reverse=True)
    ordered = tuple(files[place] for place in places)
    return Snapshot(table.version(), pa.schema(table.schema()).remove_metadata(), ordered, actions, places)


def _row_count(root: str, path: str, count: int | None) -> int:
    if count is not None:
        return count
    with open_file(Path(root) / path) as file:
        return file.metadata.num_rows


def _commit(root: Path, commit: Callable[[deltalake.DeltaTable, str], None], once: Once | None) -> Commit:
    """Commits from a snapshot in which `once` is known to be new; when somebody was faster, from the next one."""
    for attempt in range(COMMIT_TRIES):
        mark = str(new_id())
        try:
            with _warm.fresh(str(root)) as table:
                if (done := _applied(root, table, once)) is not None:
                    return Commit(done, applied=False)
                before = table.version()
                commit(table, mark)
        except deltalake.exceptions.CommitFailedError:
            time.sleep(random.uniform(0, 0.01 * attempt))
            continue
        except deltalake.exceptions.DeltaError as error:
            raise Invalid(f"The table did not take this: {str(error)[:200]}") from error
        # An append may land behind others' commits, and the engine does not say where: our mark does.
        version = next(entry.version for entry in log_entries(root, before) if entry.mark == mark)
        settle(root, version)
        return Commit(version)
    raise Conflict("Too many others are writing this table; try again.")


def once_number(root: Path, name: str) -> int:
    """The number that the commits under a once-name have reached, or -1."""
    with _warm.fresh(str(root)) as table:
        number = table.transaction_version(name)
    return -1 if number is None else number


def _applied(root: Path, table: deltalake.DeltaTable, once: Once | None) -> int | None:
    """The version in which `once` was committed, or None."""
    if once is None:
        return None
    number = table.transaction_version(once.name)
    if number is None or number < once.number:
        return None
    for version in range(table.version(), -1, -1):
        try:
            lines = log_file(root, version).read_bytes().splitlines()
        except FileNotFoundError:
            break
        for line in lines:
            if (
                b'"txn"' in line
                and (txn := json.loads(line).get("txn"))
                and txn["appId"] == once.name
                and txn["version"] <= once.number
            ):
                return version
    return table.version()


def _properties(
    facts: dict[str, object], mark: str, once: Once | None, *, retry: bool = True
) -> deltalake.CommitProperties:
    transactions = None if once is None else [deltalake.Transaction(once.name, once.number)]
    return deltalake.CommitProperties(
        custom_metadata={FACTS: facts, MARK: mark},
        app_transactions=transactions,
        max_commit_retries=None if retry else 0,
    )


def _after_commit() -> deltalake.transaction.PostCommitHookProperties:
    return deltalake.transaction.PostCommitHookProperties(create_checkpoint=True, cleanup_expired_logs=False)


def _check_files(root: Path, files: Sequence[NewFile], schema: pa.Schema) -> None:
    """Invalid unless every file holds the table's columns as the table holds them."""
    real = os.path.realpath(root)
    wanted = {item.name: item for item in schema}
    for file in files:
        checked_path(real, file.name)
        have = {item.name: item for item in file.footer.schema}
        wrong: dict[str, str] = {}
        for name, item in wanted.items():
            if name not in have:
                if not item.nullable:
                    wrong[name] = "is missing, and the table lets it be null in no row"
            elif have[name].type != item.type:
                wrong[name] = f"is {have[name].type}, the table holds {item.type}"
        wrong |= {name: "is not a column of the table" for name in have if name not in wanted}
        if wrong:
            raise Invalid(
                "The columns do not fit the table: " + "; ".join(f"{name} {why}" for name, why in wrong.items()) + ".",
                fields=wrong,
            )


def _adds(root: Path, files: Sequence[NewFile]) -> list[Any]:
    # The moment of the commit, not of the upload: it is what puts files in the order in which they came to the table.
    at = int(time.time() * 1000)
    return [
        deltalake.transaction.AddAction(file.name, file.footer.bytes, {}, at, True, file.footer.stats) for file in files
    ]
