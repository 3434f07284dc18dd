"""What a small thing says, for those who may read it: rooms that hold words register, rooms that tell of them ask at the moment of showing."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from apps.access.actor import Actor

Reader = Callable[[Actor, list[str]], dict[str, str]]
_readers: dict[str, Reader] = {}


def register_excerpts(noun: str, reader: Reader) -> None:
    """Have `reader(actor, ids)` give the words of things called `<noun>:<id>`, leaving out what the actor may not read."""
    _readers[noun] = reader


def excerpts(actor: Actor, references: Iterable[str]) -> dict[str, str]:
    """Reference -> its words now; what is gone, unknown or not the actor's to read is missing."""
    wanted: dict[str, list[str]] = {}
    for noun, _, id in (reference.partition(":") for reference in references):
        if noun in _readers:
            wanted.setdefault(noun, []).append(id)
    found: dict[str, Any] = {}
    for noun, ids in wanted.items():
        found |= {f"{noun}:{id}": words for id, words in _readers[noun](actor, ids).items()}
    return found
