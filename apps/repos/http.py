"""`/git/<workspace>/<path>.git`: the git client's door, in front of Django. Smart protocol only, streamed both ways.

Decides access itself, with every request: a pull needs view, a push needs edit, and what the caller may not know of is absent.
"""

from __future__ import annotations

import asyncio
import logging
import re
import zlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from asgiref.sync import sync_to_async
from django.db import InterfaceError, OperationalError, connections

from apps.access import audit
from apps.access.actor import Actor
from apps.access.levels import Level
from apps.access.middleware import token_of
from apps.access.policy import fetch_path
from apps.access.scope import workspace_scope
from apps.access.tokens import resolve
from apps.foundation.errors import (
    BoathouseError,
    Forbidden,
    Invalid,
    NotFound,
    TooLarge,
    TooMany,
    Unauthenticated,
    Unavailable,
)
from apps.foundation.http import to_meaning
from apps.repos import git, operations, pushes, refnames
from apps.repos.models import Repo
from apps.repos.operations.remotes import require_no_remote

log = logging.getLogger(__name__)

SERVICES = {"git-upload-pack": Level.VIEW, "git-receive-pack": Level.EDIT}
TRANSFERS = 12  # git processes at once in one web process; the next ones wait
WAIT_SECONDS = 15
IDLE_SECONDS = 120
_ADDRESS = re.compile(
    r"/git/(?P<workspace>[^/]+)/(?P<path>.+)\.git/(?P<tail>info/refs|git-upload-pack|git-receive-pack)"
)
_VERSION = re.compile(rb"version=[012]")
_transfers = asyncio.Semaphore(TRANSFERS)


@dataclass(frozen=True)
class Admission:
    """Who may do this, on which repository, and where that lies."""

    actor: Actor
    repo: Repo
    folder: Path


async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Answer one request of the git client."""
    if scope["type"] != "http":
        return
    client = Client(scope, receive, send)
    try:
        await _serve(client)
    except git.ClientGone:
        return
    except TimeoutError:
        await client.refuse(Unavailable("This took too long; try again."))
    except BoathouseError as error:
        await client.refuse(error)


async def _serve(client: Client) -> None:
    workspace, path, tail, service = client.address()
    admission = await _in_thread(_admit, client.token(), workspace, path, SERVICES[service])
    try:
        async with asyncio.timeout(WAIT_SECONDS):
            await _transfers.acquire()
    except TimeoutError:
        raise TooMany("Many transfers are running; try again in a moment.", retry_after_seconds=WAIT_SECONDS) from None
    try:
        question = client.question(tail, service, admission.actor)
        if tail == "git-receive-pack":
            await _push(client, admission, question)
        else:
            async with git.ask(admission.folder, question, client.body(git.FETCH_REQUEST_BYTES), client.gone) as answer:
                async for piece in answer.pieces():
                    await client.begin(answer)
                    await client.write(piece)
                await client.begin(answer)
                await client.end()
    finally:
        _transfers.release()


async def _push(client: Client, admission: Admission, question: git.Question) -> None:
    """Read what is wanted, note it, let git do it, note what was done, and only then tell the client."""
    body = client.body(git.PUSH_BYTES)
    head, wish = await _head(body)
    reasons = {c.ref: "not a name that may be pushed" for c in wish.commands if not refnames.is_pushable(c.ref)}
    if reasons:
        async for _ in body:  # the client listens only after it has said everything
            continue
        await client.start(
            200, [(b"content-type", b"application/x-git-receive-pack-result"), (b"cache-control", b"no-cache")]
        )
        await client.end(pushes.refusal(wish, reasons))
        return
    push_id = await _in_thread(_begin, admission, wish) if wish.commands else None
    last = b""
    try:
        async with git.ask(admission.folder, question, _chain(head, body), client.gone) as answer:
            async for piece in answer.pieces():
                if last:
                    await client.begin(answer)
                    await client.write(last)
                last = piece
    finally:
        if push_id is not None:
            await asyncio.shield(_in_thread(_finish, admission, push_id))
    await client.begin(answer)
    await client.end(last)


async def _head(body: AsyncIterator[bytes]) -> tuple[bytes, pushes.Wish]:
    """The beginning of a push's body, with what it asks for. Read again only when it has doubled: pieces may be one byte long."""
    head, read = bytearray(), 0
    while True:
        piece = await anext(body, None)
        head += piece or b""
        if len(head) >= 2 * read or piece is None:
            read = len(head)
            if wish := pushes.read_wish(bytes(head)):
                return bytes(head), wish
        if piece is None:
            raise Invalid("The push ended before it had begun.")


async def _chain(head: bytes, body: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield head
    async for piece in body:
        yield piece


class Client:
    """The other end of one connection: what it asked, its body within limits, and our answer to it."""

    def __init__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        self.scope, self.receive, self.send = scope, receive, send
        self.headers = dict(scope["headers"])
        self.started = False

    def address(self) -> tuple[str, str, str, str]:
        """Workspace, path, tail and service; NotFound for anything that is not the smart protocol."""
        match = _ADDRESS.fullmatch(self.scope["path"])
        if match is None:
            raise NotFound
        tail = match["tail"]
        method = "GET" if tail == "info/refs" else "POST"
        try:
            asked = parse_qs(self.scope["query_string"].decode("latin-1"), max_num_fields=5).get("service", [""])[0]
        except ValueError:
            raise NotFound from None
        service = asked if tail == "info/refs" else tail
        if self.scope["method"] != method or service not in SERVICES:
            raise NotFound
        if method == "POST" and self.headers.get(b"content-type") != f"application/x-{service}-request".encode():
            raise Invalid("The body has another type than git sends.")
        return match["workspace"], match["path"], tail, service

    def token(self) -> str:
        """The token it sent; Unauthenticated when there is none."""
        raw = token_of(self.headers.get(b"authorization", b"").decode("latin-1"))
        if raw is None:
            raise Unauthenticated
        return raw

    def question(self, tail: str, service: str, actor: Actor) -> git.Question:
        """What git is asked, of values that are ours or have a fixed form."""
        version = self.headers.get(b"git-protocol", b"")
        return git.Question(
            method="GET" if tail == "info/refs" else "POST",
            tail=tail,
            query=f"service={service}" if tail == "info/refs" else "",
            content_type="" if tail == "info/refs" else f"application/x-{service}-request",
            protocol=version.decode() if _VERSION.fullmatch(version) else "",
            pusher_name=str(actor.user_id),
            pusher_address=str(actor.user_id),
        )

    async def body(self, limit: int) -> AsyncIterator[bytes]:
        """The body, inflated when it was sent deflated; TooLarge past the limit, counted after inflating."""
        encoding = self.headers.get(b"content-encoding", b"identity")
        if encoding not in (b"identity", b"gzip", b"x-gzip"):
            raise Invalid("Send the body plain or with gzip.")
        inflater = None if encoding == b"identity" else zlib.decompressobj(31)
        total, more = 0, True
        while more:
            message = await self._hear()
            more = message.get("more_body", False)
            for piece in _inflate(inflater, message.get("body", b"")):
                total += len(piece)
                if total > limit:
                    raise TooLarge(f"At most {limit >> 20} MB at once.")
                yield piece
        if inflater is not None and not inflater.eof:
            raise Invalid("The compressed body ends early.")

    async def gone(self) -> None:
        """Return never; raise ClientGone when the client hangs up."""
        while True:
            if (await self.receive())["type"] == "http.disconnect":
                raise git.ClientGone

    async def start(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        """Send the head."""
        self.started = True
        safe = [*headers, (b"x-content-type-options", b"nosniff")]
        await self.send({"type": "http.response.start", "status": status, "headers": safe})

    async def begin(self, answer: git.Answer) -> None:
        """Send git's head, once, and only when there is something to follow: until then a failure can still have its status."""
        if not self.started:
            await self.start(answer.status, answer.headers)

    async def write(self, piece: bytes, more: bool = True) -> None:
        """Send a piece of the body; ClientGone when nobody takes it."""
        if piece or not more:
            try:
                async with asyncio.timeout(IDLE_SECONDS):
                    await self.send({"type": "http.response.body", "body": piece, "more_body": more})
            except (TimeoutError, OSError) as error:
                raise git.ClientGone from error

    async def end(self, piece: bytes = b"") -> None:
        """Send the last piece."""
        await self.write(piece, more=False)

    async def refuse(self, error: BoathouseError) -> None:
        """The error as git shows it; when the answer has begun, break it off so that git sees a failure."""
        if self.started:
            log.warning("a git transfer broke off: %s", error)
            raise ConnectionAbortedError(error.message)
        headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"cache-control", b"no-store")]
        if isinstance(error, Unauthenticated):
            headers.append((b"www-authenticate", b'Basic realm="Boathouse", charset="UTF-8"'))
        if isinstance(error, TooMany | Unavailable):
            headers.append((b"retry-after", str(error.retry_after_seconds).encode()))
        await self.start(error.status, headers)
        await self.end(f"{error.message}\n".encode())

    async def _hear(self) -> dict[str, Any]:
        try:
            async with asyncio.timeout(IDLE_SECONDS):
                message = await self.receive()
        except TimeoutError as error:
            raise git.ClientGone from error
        if message["type"] == "http.disconnect":
            raise git.ClientGone
        return message


def _inflate(inflater: Any, content: bytes) -> Any:
    if inflater is None:
        yield content
        return
    try:
        while content:
            yield inflater.decompress(content, 1 << 20)
            content = inflater.unconsumed_tail
    except zlib.error as error:
        raise Invalid("The body is not gzip, although it says so.") from error


# What needs the database runs in a thread of its own, in short transactions; nothing is held while bytes stream.


async def _in_thread(function: Callable[..., Any], *arguments: Any) -> Any:
    def run() -> Any:
        try:
            return function(*arguments)
        except (OperationalError, InterfaceError) as error:
            raise to_meaning(error) from error
        finally:
            connections.close_all()

    return await sync_to_async(run, thread_sensitive=False)()


def _admit(raw: str, workspace: str, path: str, needs: Level) -> Admission:
    actor = resolve(raw)
    if actor is None:
        raise Unauthenticated("This token is unknown, expired or revoked.")
    if actor.workspace.name != workspace:
        raise NotFound
    try:
        with workspace_scope(actor.workspace):
            repo = fetch_path(Repo, "repo", f"/{path}", actor=actor, needs=needs)
            if needs == Level.EDIT:
                require_no_remote(repo)
            return Admission(actor, repo, repo.git.path)
    except (NotFound, Forbidden) as error:
        resource = getattr(error, "resource", None)
        if resource is not None:
            with workspace_scope(actor.workspace):
                audit.record_refusal(
                    actor, "git push" if needs == Level.EDIT else "git pull", resource, needs=needs.word
                )
        raise


def _begin(admission: Admission, wish: pushes.Wish) -> Any:
    with workspace_scope(admission.actor.workspace):
        return operations.push(actor=admission.actor, repo=admission.repo, commands=wish.commands).pk


def _finish(admission: Admission, push_id: Any) -> None:
    with workspace_scope(admission.actor.workspace):
        operations.settle_push(admission.actor, push_id)
