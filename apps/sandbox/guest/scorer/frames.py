"""The scorer's wire format: length-prefixed frames that carry an id, so answers may come in any order."""

from __future__ import annotations

import struct
from typing import NamedTuple

HEADER = struct.Struct("<IBQ")  # payload length, kind, request id
MAX_FRAME_BYTES = 64 * 1024 * 1024

HELLO, SCORE, ANSWER = 1, 2, 3

ARROW_STREAM = "application/vnd.apache.arrow.stream"


class Frame(NamedTuple):
    """One message: its kind, the id that pairs a request with its answer, and its payload."""

    kind: int
    request_id: int
    payload: bytes


class BrokenFrame(Exception):
    """The other side does not speak this protocol; the connection is of no more use."""


class FrameReader:
    """Turns received bytes into whole frames, keeping what is still incomplete."""

    def __init__(self, max_frame_bytes: int = MAX_FRAME_BYTES) -> None:
        self._buffer = bytearray()
        self._max_frame_bytes = max_frame_bytes

    def feed(self, chunk: bytes) -> list[Frame]:
        """Return the frames that this chunk completes."""
        buffer = self._buffer
        buffer += chunk
        frames: list[Frame] = []
        start, end = 0, len(buffer)
        while end - start >= HEADER.size:
            length, kind, request_id = HEADER.unpack_from(buffer, start)
            if length > self._max_frame_bytes:
                raise BrokenFrame(f"a frame of {length} bytes is over the limit of {self._max_frame_bytes}")
            stop = start + HEADER.size + length
            if stop > end:
                break
            frames.append(Frame(kind, request_id, bytes(buffer[start + HEADER.size : stop])))
            start = stop
        if start:
            del buffer[:start]
        return frames


def encode(kind: int, request_id: int, payload: bytes) -> bytes:
    """Return one frame, ready to send."""
    return HEADER.pack(len(payload), kind, request_id) + payload


def encode_score(request_id: int, content_type: str, body: bytes) -> bytes:
    """Return a SCORE frame: the content type, then the body as the caller sent it."""
    name = content_type.encode("latin-1", "replace")[:255]
    return encode(SCORE, request_id, bytes((len(name),)) + name + body)


def decode_score(payload: bytes) -> tuple[str, bytes]:
    """Return the content type and body of a SCORE frame."""
    if not payload:
        raise BrokenFrame("an empty scoring request")
    size = payload[0]
    return payload[1 : 1 + size].decode("latin-1"), payload[1 + size :]


def encode_answer(request_id: int, status: int, content_type: str, body: bytes) -> bytes:
    """Return an ANSWER frame: status, content type, body."""
    name = content_type.encode("latin-1", "replace")[:255]
    return encode(ANSWER, request_id, status.to_bytes(2, "little") + bytes((len(name),)) + name + body)


def decode_answer(payload: bytes) -> tuple[int, str, bytes]:
    """Return status, content type and body of an ANSWER frame."""
    if len(payload) < 3 or len(payload) < 3 + payload[2]:
        raise BrokenFrame("a short answer")
    size = payload[2]
    return int.from_bytes(payload[:2], "little"), payload[3 : 3 + size].decode("latin-1"), payload[3 + size :]
