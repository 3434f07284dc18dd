"""The busiest endpoints in front of Django: a token, one statement, bytes. All else, sessions included, is handed on to `routes`."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qs

import orjson
import psycopg

from apps.access.middleware import token_of
from apps.access.tokens import digest
from apps.experiments import ingest
from apps.experiments.experiment_search import find_experiments, found_newest, list_newest
from apps.experiments.finder import find_runs
from apps.experiments.ingest import Statement, pool
from apps.experiments.outcome import require_done
from apps.foundation.errors import BoathouseError, Invalid, TooLarge, Unavailable
from apps.mlflow_api import tracking
from apps.mlflow_api.errors import headers_for, to_mlflow
from apps.mlflow_api.messages import tracking as m
from apps.mlflow_api.translate import experiments, runs
from apps.mlflow_api.wire import BODY_MAX, Message, decode, decode_query, parse_json

logger = logging.getLogger(__name__)
# Headers that say what only Django knows.
_DJANGOS = {b"content-encoding", b"x-mlflow-workspace", b"x-boathouse-workspace", b"idempotency-key"}
Handler = Callable[[bytes, Any], Awaitable[bytes]]
# Up to here a body is read before it is known who sends it, and on the loop; a longer one costs too much for either.
SMALL_BODY = 256 * 1024


class _ForDjango(Exception):
    """What was asked takes more than one statement for this token."""


def _write(build: Callable[[Any], Statement]) -> Handler:
    async def handle(token: bytes, message: Any) -> bytes:
        statement = build(message)
        ((_, code, detail),) = await pool.run(token, statement)
        require_done(code, detail, thing=message.run_id or message.run_uuid)
        return b"{}"

    return handle


async def _create_run(token: bytes, message: m.CreateRun) -> bytes:
    statement = tracking.start_run(message)
    ((_, code, detail, location, tags),) = await pool.run(token, statement)
    if code == "activity":
        raise _ForDjango
    number, run_id, name, user, start, *_ = statement.arguments
    require_done(code, detail, thing=str(number))
    return runs.started(number, run_id, name, user, start, location, tags)


async def _get_run(token: bytes, message: m.RunId) -> bytes:
    ((_, code, detail, *row),) = await pool.run(token, ingest.read_run(tracking.run_id_of(message)))
    require_done(code, detail, thing=message.run_id or message.run_uuid)
    return runs.read(row)


async def _update_run(token: bytes, message: m.UpdateRun) -> bytes:
    ((_, code, detail, *row),) = await pool.run(token, tracking.update_run(message))
    require_done(code, detail, thing=message.run_id or message.run_uuid)
    return runs.changed(row)


async def _get_history(token: bytes, message: m.MetricHistory) -> bytes:
    statement, _ = tracking.get_history(message)
    ((_, code, detail, items, *place),) = await pool.run(token, statement)
    require_done(code, detail, thing=message.run_id or message.run_uuid)
    return tracking.history_body(message, items, place)


async def _search(token: bytes, message: m.SearchRuns) -> bytes:
    search = tracking.run_search(message)
    opened, found = await pool.search(token, lambda opened: find_runs(search, opened), list(search.experiments))
    return runs.page(found, opened.experiments)


async def _search_experiments(token: bytes, message: m.SearchExperiments) -> bytes:
    search = tracking.experiment_search(message)
    newest = list_newest(search)
    if newest is not None:
        ((_, *row),) = await pool.run(token, newest)
        return experiments.page(found_newest(search, row))
    _, found = await pool.search(token, lambda _: find_experiments(search), [])
    return experiments.page(found)


HOT: dict[tuple[str, str], tuple[type[Message], Handler]] = {
    ("POST", "runs/create"): (m.CreateRun, _create_run),
    ("POST", "runs/log-metric"): (m.LogMetric, _write(tracking.log_metric)),
    ("POST", "runs/log-parameter"): (m.LogParam, _write(tracking.log_param)),
    ("POST", "runs/set-tag"): (m.SetTag, _write(tracking.set_tag)),
    ("POST", "runs/log-batch"): (m.LogBatch, _write(tracking.log_batch)),
    ("POST", "runs/update"): (m.UpdateRun, _update_run),
    ("GET", "runs/get"): (m.RunId, _get_run),
    ("POST", "experiments/search"): (m.SearchExperiments, _search_experiments),
    ("POST", "runs/search"): (m.SearchRuns, _search),
    ("GET", "metrics/get-history"): (m.MetricHistory, _get_history),
}
_ADDRESSES = {
    (method, f"/{prefix}/2.0/mlflow/{path}"): entry
    for (method, path), entry in HOT.items()
    for prefix in ("api", "ajax-api")
}


async def app(scope: dict[str, Any], receive: Any, send: Any) -> bool | Any:
    """Answer one request; or return False, or what receives it again, for Django to answer it."""
    entry = _ADDRESSES.get((scope.get("method", ""), scope["path"]))
    if entry is None or scope["type"] != "http":
        return False
    headers = {}
    for name, value in scope["headers"]:
        # A header that comes twice could be read differently elsewhere: Django decides.
        if name in headers and name in (b"authorization", b"content-type"):
            return False
        headers[name] = value
    if b"authorization" not in headers:
        return False
    if not _DJANGOS.isdisjoint(headers):
        return False
    shape, handler = entry
    extra: dict[str, str] = {}
    try:
        token = digest(token_of(headers[b"authorization"].decode("latin-1")) or "")
        content = b"" if scope["method"] == "GET" else await _body(receive, headers, token)
        status, body = 200, await handler(token, await _fields(scope, content, headers, shape))
    except _ForDjango:
        return _again(content, receive)
    except BoathouseError as error:
        status, body, extra = _refusal(error, headers)
    except psycopg.OperationalError:
        logger.exception("the ingest path lost its database")
        status, body, extra = _refusal(Unavailable(), headers)
    except Exception:
        logger.exception("unexpected failure on the ingest path")
        status, body, extra = _refusal(BoathouseError(), headers)
    await _send(send, status, body, extra)
    return None


def _refusal(error: BoathouseError, headers: dict[bytes, bytes]) -> tuple[int, bytes, dict[str, str]]:
    status, told = to_mlflow(error)
    return status, orjson.dumps(told), headers_for(error, headers.get(b"user-agent", b"").decode("latin-1"))


def _again(content: bytes, receive: Any) -> Callable[[], Awaitable[dict[str, Any]]]:
    """A `receive` that gives a body once more that was read already."""
    left = [{"type": "http.request", "body": content, "more_body": False}]

    async def again() -> dict[str, Any]:
        return left.pop() if left else await receive()

    return again


async def _fields(scope: dict[str, Any], content: bytes, headers: dict[bytes, bytes], shape: type[Message]) -> Message:
    if scope["method"] == "GET":
        try:
            query = parse_qs(scope["query_string"].decode("latin-1"), keep_blank_values=True, max_num_fields=1000)
        except ValueError:
            raise Invalid("The query string has too many fields.") from None
        return decode_query(shape, query)
    if content and not headers.get(b"content-type", b"").startswith(b"application/json"):
        raise Invalid("Send the body as JSON, with the header Content-Type: application/json.")
    if len(content) > SMALL_BODY:
        return await asyncio.to_thread(lambda: decode(shape, parse_json(content)))
    return decode(shape, parse_json(content))


async def _body(receive: Any, headers: dict[bytes, bytes], token: bytes) -> bytes:
    if int(headers.get(b"content-length", b"0") or 0) > BODY_MAX:
        raise TooLarge
    pieces, size, is_known = [], 0, False
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Invalid("The request ended before its body was whole.")
        pieces.append(message.get("body", b""))
        size += len(pieces[-1])
        if size > SMALL_BODY and not is_known:
            await pool.check(token)
            is_known = True
        if size > BODY_MAX:
            raise TooLarge
        if not message.get("more_body"):
            return b"".join(pieces)


async def _send(send: Any, status: int, body: bytes, extra: dict[str, str]) -> None:
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (b"x-content-type-options", b"nosniff"),
        (b"cache-control", b"no-store"),
        *((name.lower().encode(), value.encode()) for name, value in extra.items()),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
