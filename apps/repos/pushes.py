"""What a push asks for: the commands at the head of its body, and the answer that refuses them; pure."""

from __future__ import annotations

from dataclasses import dataclass

from apps.foundation.errors import Invalid
from apps.repos import refnames

MAX_HEAD_BYTES = 1 << 20
MAX_COMMANDS = 2000


@dataclass(frozen=True)
class Command:
    """One ref that the client wants moved from `old` to `new`; forty zeros stand for absent."""

    old: str
    new: str
    ref: str

    @property
    def what(self) -> str:
        """created, updated or deleted."""
        return "created" if self.old == refnames.ZERO else "deleted" if self.new == refnames.ZERO else "updated"


@dataclass(frozen=True)
class Wish:
    """The commands of a push, the client's capabilities, and how many bytes they took."""

    commands: tuple[Command, ...]
    capabilities: frozenset[str]
    length: int


def read_wish(body: bytes) -> Wish | None:
    """The commands at the head of a push; None while they are not all there yet."""
    commands: list[Command] = []
    capabilities: frozenset[str] = frozenset()
    at = 0
    while True:
        if at > MAX_HEAD_BYTES or len(commands) > MAX_COMMANDS:
            raise Invalid(f"One push may move {MAX_COMMANDS} branches and tags at most; push them in parts.")
        head = body[at : at + 4]
        if len(head) < 4:
            return None
        try:
            length = int(head, 16)
        except ValueError as error:
            raise Invalid("This is not a push.") from error
        if length == 0:
            return Wish(tuple(commands), capabilities, at + 4)
        if length < 5:
            raise Invalid("This is not a push.")
        if len(body) < at + length:
            return None
        line, _, said = body[at + 4 : at + length].partition(b"\x00")
        if said:
            capabilities = frozenset(said.decode(errors="replace").split())
        commands.append(_command(line.rstrip(b"\n")))
        at += length


def _command(line: bytes) -> Command:
    words = line.decode(errors="replace").split(" ", 2)
    if len(words) != 3 or not (refnames.is_sha(words[0]) and refnames.is_sha(words[1])):
        raise Invalid("Only plain pushes of branches and tags are taken here, not shallow or signed ones.")
    return Command(*words)


def refusal(wish: Wish, reasons: dict[str, str]) -> bytes:
    """The protocol's own answer to a push of which nothing is done, so that git prints the reason beside each ref."""
    lines = ["unpack ok\n"]
    lines += [
        f"ng {command.ref} {reasons.get(command.ref, 'another ref of this push was refused')}\n"
        for command in wish.commands
    ]
    report = b"".join(map(_packet, (line.encode() for line in lines))) + b"0000"
    if "side-band-64k" in wish.capabilities:
        chunks = (report[at : at + 60_000] for at in range(0, len(report), 60_000))
        report = b"".join(_packet(b"\x01" + chunk) for chunk in chunks) + b"0000"
    return report


def _packet(content: bytes) -> bytes:
    return f"{len(content) + 4:04x}".encode() + content
