"""Messages between the daemon and its clients: JSON with a length before it, then bytes, then descriptors if any."""

from __future__ import annotations

import json
import socket
import struct
from typing import Any

_HEAD = struct.Struct(">II")
_MOST_BYTES = 64 * 1024 * 1024


def send(peer: socket.socket, message: dict[str, Any], payload: bytes = b"", fds: tuple[int, ...] = ()) -> None:
    """Send one message."""
    text = json.dumps(message).encode()
    socket.send_fds(peer, [_HEAD.pack(len(text), len(payload))], fds)
    peer.sendall(text + payload)


def receive(peer: socket.socket) -> tuple[dict[str, Any], bytes, list[int]]:
    """The next message, its bytes and its descriptors; raises ConnectionError when the other side is gone."""
    head, fds, _, _ = socket.recv_fds(peer, _HEAD.size, 4)
    head += _read(peer, _HEAD.size - len(head))
    text_size, payload_size = _HEAD.unpack(head)
    if text_size + payload_size > _MOST_BYTES:
        raise ConnectionError("a message over the size limit")
    return json.loads(_read(peer, text_size)), _read(peer, payload_size), fds


def _read(peer: socket.socket, size: int) -> bytes:
    parts = []
    while size:
        part = peer.recv(min(size, 1 << 20))
        if not part:
            raise ConnectionError("the other side closed the connection")
        parts.append(part)
        size -= len(part)
    return b"".join(parts)
