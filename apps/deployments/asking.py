"""One prepared statement on a connection that does nothing else, asked over libpq itself: a third of what the driver's way costs."""

from __future__ import annotations

import asyncio
import contextlib
import struct
from collections.abc import Sequence

from psycopg import AsyncConnection, OperationalError, pq

CONNECT_SECONDS = 5
_NAME = "boathouse_asking"
_HEAD = struct.Struct(">iiIii")  # dimensions, whether there are nulls, type of an item, length, lower bound
BYTEA, TEXT = 17, 25


def array(item_type: int, items: Sequence[bytes]) -> bytes:
    """A list as PostgreSQL's own bytes for an array."""
    head = _HEAD.pack(1, 0, item_type, len(items), 1)
    return head + b"".join(len(item).to_bytes(4) + item for item in items)


class Asking:
    """A connection and its statement. One question at a time; after an error it is of no more use."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection
        self._pgconn = connection.pgconn
        self._loop = asyncio.get_running_loop()
        self._answer: asyncio.Future[list[list[bytes | None]]] | None = None
        self._results: list[pq.abc.PGresult] = []
        self._is_writing = False
        self._is_open = True
        self._socket = connection.fileno()
        self._loop.add_reader(self._socket, self._read)

    @property
    def is_usable(self) -> bool:
        """Whether it can be asked."""
        return self._is_open and not self._connection.closed

    async def ask(self, *parameters: bytes) -> list[list[bytes | None]]:
        """The rows of the answer, each cell as text. Raises OperationalError."""
        answer = self._answer = self._loop.create_future()
        try:
            self._pgconn.send_query_prepared(
                _NAME.encode(), parameters, param_formats=[pq.Format.BINARY] * len(parameters)
            )
            self._write()
            return await answer
        except BaseException:
            # What was cancelled or failed half way leaves an answer behind that nobody waits for.
            self.close()
            raise
        finally:
            self._answer = None

    def close(self) -> None:
        """Let go of the connection. Safe to repeat: its socket's number may be somebody else's by then."""
        if self._is_open:
            self._is_open = False
            self._loop.remove_reader(self._socket)
            self._loop.remove_writer(self._socket)
            self._pgconn.finish()

    def _write(self) -> None:
        try:
            if self._pgconn.flush():
                self._loop.add_writer(self._socket, self._write)
                self._is_writing = True
            elif self._is_writing:
                self._loop.remove_writer(self._socket)
                self._is_writing = False
        except OperationalError as error:
            self._fail(error)

    def _read(self) -> None:
        try:
            self._pgconn.consume_input()
            while not self._pgconn.is_busy():
                result = self._pgconn.get_result()
                if result is None:
                    self._end()
                    return
                self._results.append(result)
        except OperationalError as error:
            self._fail(error)

    def _end(self) -> None:
        results, self._results = self._results, []
        if self._answer is None or self._answer.done():
            return
        if len(results) != 1 or results[0].status != pq.ExecStatus.TUPLES_OK:
            said = results[0].error_message.decode(errors="replace") if results else "no answer"
            self._answer.set_exception(OperationalError(said))
            return
        (found,) = results
        columns = range(found.nfields)
        self._answer.set_result([[found.get_value(row, column) for column in columns] for row in range(found.ntuples)])

    def _fail(self, error: OperationalError) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(error)
        self.close()


async def connect(conninfo: str, statement: str, types: str) -> Asking:
    """A connection that is ready to ask the statement. Raises OperationalError."""
    connection = await AsyncConnection.connect(conninfo, autocommit=True, connect_timeout=CONNECT_SECONDS)
    try:
        await connection.execute(f"prepare {_NAME}({types}) as {statement}")
    except BaseException:
        with contextlib.suppress(OperationalError):
            await connection.close()
        raise
    return Asking(connection)
