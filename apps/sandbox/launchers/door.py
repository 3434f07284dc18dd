"""The one way out of a guest: connections to a port inside it are carried to web's Unix socket."""

from __future__ import annotations

import contextlib
import selectors
import socket
import struct
from collections.abc import Callable
from functools import partial

_CHUNK_BYTES = 256 * 1024
_MOST_CONNECTIONS = 64
_PATIENCE = struct.pack("ll", 1, 0)


class _Flow:
    """Bytes on their way from one socket to another."""

    def __init__(self, source: socket.socket, sink: socket.socket) -> None:
        self.source, self.sink = source, sink
        self.waiting = b""
        self.source_ended = False
        self.sink_told = False

    @property
    def is_open(self) -> bool:
        """Whether there is room for more from the source."""
        return not self.waiting and not self.source_ended

    def read(self) -> None:
        self.waiting = self.source.recv(_CHUNK_BYTES)
        self.source_ended = not self.waiting

    def write(self) -> None:
        if self.waiting:
            self.waiting = self.waiting[self.sink.send(self.waiting) :]
        if self.source_ended and not self.waiting and not self.sink_told:
            self.sink_told = True
            self.sink.shutdown(socket.SHUT_WR)


class _Pair:
    """One connection of the guest and its counterpart at web."""

    def __init__(self, door: Door, inner: socket.socket, outer: socket.socket) -> None:
        self.door = door
        self.closed = False
        self.flows = (_Flow(inner, outer), _Flow(outer, inner))
        for end in (inner, outer):
            end.setblocking(False)
        self.watch()

    def step(self, ready: socket.socket, events: int) -> None:
        """Move what can be moved, or end both sides."""
        if self.closed:
            return
        try:
            with contextlib.suppress(BlockingIOError):
                for flow in self.flows:
                    if flow.source is ready and events & selectors.EVENT_READ and flow.is_open:
                        flow.read()
            for flow in self.flows:
                with contextlib.suppress(BlockingIOError):
                    flow.write()
        except OSError:
            self.close()
            return
        # Web never half-closes: when it has said its last byte, the connection is over.
        if self.flows[1].sink_told:
            self.close()
        else:
            self.watch()

    def watch(self) -> None:
        """Wait only for what can move bytes, so that an idle or blocked side costs nothing."""
        for there, back in (self.flows, reversed(self.flows)):
            wanted = selectors.EVENT_READ if there.is_open else 0
            if back.waiting:
                wanted |= selectors.EVENT_WRITE
            self.door.want(there.source, wanted, partial(self.step, there.source))

    def close(self) -> None:
        """Close both sides."""
        self.closed = True
        for flow in self.flows:
            self.door.want(flow.source, 0, None)
            flow.source.close()
        self.door.pairs.discard(self)
        self.door.rest()


class Door:
    """Accepts on a listening socket of the guest's network and connects each visitor to `api_socket`."""

    def __init__(self, selector: selectors.BaseSelector, listener: socket.socket, api_socket: str) -> None:
        self.selector, self.listener, self.api_socket = selector, listener, api_socket
        self.pairs: set[_Pair] = set()
        listener.setblocking(False)
        self.rest()

    def want(self, end: socket.socket, events: int, step: Callable[[int], None] | None) -> None:
        """Wait for these events of a socket, or for none."""
        known = end in self.selector.get_map()
        if events and known:
            self.selector.modify(end, events, step)
        elif events:
            self.selector.register(end, events, step)
        elif known:
            self.selector.unregister(end)

    def rest(self) -> None:
        """Accept only while there is room for one more."""
        room = len(self.pairs) < _MOST_CONNECTIONS
        self.want(self.listener, selectors.EVENT_READ if room else 0, self.accept)

    def accept(self, _events: int) -> None:
        """Let one visitor in; when web is away it is turned back at once, so that it can try again."""
        try:
            inner, _ = self.listener.accept()
        except OSError:
            return
        outer = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        # A time-out set in Python would turn a full queue at web into a failure at once.
        outer.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, _PATIENCE)
        try:
            outer.connect(self.api_socket)
        except OSError:
            inner.close()
            outer.close()
            return
        self.pairs.add(_Pair(self, inner, outer))
        self.rest()
