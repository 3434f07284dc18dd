"""Trying an endpoint from its page: a form made of the model's signature, one request in the person's name, logged as any other."""

from __future__ import annotations

import contextlib
import json
import socket
import time
from dataclasses import dataclass
from typing import Any

from apps.access.actor import Actor
from apps.access.levels import Level
from apps.access.policy import authorise
from apps.deployments import record, versions
from apps.deployments.models import Endpoint, ServedVersion
from apps.deployments.scoring import MAX_BODY_BYTES, route_of, scoring
from apps.foundation.errors import Invalid, TooLarge, Unavailable
from apps.foundation.ids import new_id
from apps.sandbox.guest.scorer import frames

SECONDS = 30.0
NUMBERS = {"long", "integer", "int", "int32", "int64", "double", "float", "float32", "float64"}


@dataclass(frozen=True)
class Field:
    """One input of the form."""

    name: str
    type: str
    value: str
    required: bool

    @property
    def kind(self) -> str:
        """How it is typed in: `bool`, `number` or `text`."""
        if self.type.startswith("bool"):
            return "bool"
        return "number" if self.type in NUMBERS else "text"


def fields_of(served: ServedVersion, logged: str = "") -> list[Field]:
    """The inputs of a version's signature, filled from a logged request or its example; empty where it has no named columns."""
    signature, example = versions.example_of(served)
    row = _first_row(logged.encode()) or _first_row(example)
    found = []
    for column in signature:
        if not isinstance(column, dict) or not isinstance(column.get("name"), str):
            return []
        value = row.get(column["name"])
        text = "" if value is None else value if isinstance(value, str) else json.dumps(value)
        kind = str(column.get("type", "string"))
        found.append(Field(column["name"], kind, text[:500], column.get("required", True) is not False))
    return found


def example_body(served: ServedVersion) -> str:
    """A request that this version takes, as text."""
    _, example = versions.example_of(served)
    row = _first_row(example)
    if row:
        return json.dumps({"dataframe_records": [row]}, indent=2)
    return example.decode(errors="replace") if example else json.dumps({"inputs": []})


def _first_row(example: bytes | None) -> dict[str, Any]:
    try:
        told = json.loads(example or b"{}")
        if isinstance(told.get("dataframe_records"), list):
            return dict(told["dataframe_records"][0])
        split = told["dataframe_split"]
        return dict(zip(split["columns"], split["data"][0], strict=True))
    except (ValueError, KeyError, TypeError, IndexError, AttributeError, RecursionError):
        return {}


def score_once(actor: Actor, endpoint: Endpoint, body: bytes) -> tuple[int, bytes]:
    """Status and answer of one request, as the actor, in the journal like any other. Raises Forbidden, Unavailable."""
    authorise(actor, Level.USE, endpoint)
    if len(body) > MAX_BODY_BYTES:
        raise TooLarge(f"A scoring request may have {MAX_BODY_BYTES >> 20} MiB.")
    route = route_of(endpoint.routing)
    if not route.sockets:
        raise Unavailable(f"The endpoint is {endpoint.state}; no replica answers.")
    began, clock = time.time(), time.perf_counter()
    status, answer = _ask(route.sockets[int(began * 1000) % len(route.sockets)], body)
    micros = int((time.perf_counter() - clock) * 1e6)
    served = record.Served(
        str(endpoint.workspace_id), str(endpoint.pk), str(new_id()), int(began * 1e6), micros, status, str(endpoint.name),
        route.model_name, route.model_version, route.served_id, actor.label, "application/json", body, answer,
    )  # fmt: skip
    try:
        scoring().journal().write([record.encode(served)])
    except OSError as error:
        raise Unavailable("The prediction could not be logged, so it is not given.") from error
    return status, answer


def _ask(path: str, body: bytes) -> tuple[int, bytes]:
    reader = frames.FrameReader()
    with contextlib.closing(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)) as link:
        link.settimeout(SECONDS)
        try:
            link.connect(path)
            link.sendall(b"S" + frames.encode_score(1, "application/json", body))
            while chunk := link.recv(1 << 16):
                for frame in reader.feed(chunk):
                    if frame.kind == frames.ANSWER and frame.request_id == 1:
                        status, _, answer = frames.decode_answer(frame.payload)
                        return status, answer
        except TimeoutError:
            raise Invalid(f"The model took longer than {SECONDS:.0f} seconds.") from None
        except (OSError, frames.BrokenFrame) as error:
            raise Unavailable("The replica did not answer; try again.") from error
    raise Unavailable("The replica ended before it answered; try again.")
