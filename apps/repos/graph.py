"""The lines beside a list of commits: which lane each commit stands in, and what runs past it; pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

LANES = 6  # more branches at once share the last lane


@dataclass(frozen=True)
class Node:
    """One row: the commit's lane, lines that come from above, and lines that go on below, each as (from lane, to lane)."""

    lane: int
    above: list[tuple[int, int]] = field(default_factory=list)
    below: list[tuple[int, int]] = field(default_factory=list)
    is_merge: bool = False


def lanes(commits: Sequence[tuple[str, Sequence[str]]]) -> list[Node]:
    """A row for each commit, newest first, given (id, ids of its parents)."""
    waiting: list[str | None] = []  # the commit that each lane leads down to
    rows: list[Node] = []
    for sha, parents in commits:
        came = [at for at, wanted in enumerate(waiting) if wanted is not None]
        mine = [at for at in came if waiting[at] == sha]
        lane = mine[0] if mine else _free(waiting)
        above = [(at, lane if at in mine else at) for at in came]
        for at in mine:
            waiting[at] = None
        targets: list[int] = []
        for place, parent in enumerate(parents):
            if place and parent in waiting:
                targets.append(waiting.index(parent))
                continue
            at = lane if place == 0 else _free(waiting)
            _put(waiting, at, parent)
            targets.append(at)
        through = [(at, at) for at in came if at not in mine]
        below = through + [(lane, at) for at in targets]
        rows.append(Node(_shown(lane), _folded(above), _folded(below), len(parents) > 1))
    return rows


def width(rows: Sequence[Node]) -> int:
    """How many lanes the rows need."""
    return (
        max((max([row.lane, *(at for pair in (*row.above, *row.below) for at in pair)]) for row in rows), default=0) + 1
    )


def _free(waiting: list[str | None]) -> int:
    return waiting.index(None) if None in waiting else len(waiting)


def _put(waiting: list[str | None], at: int, parent: str) -> None:
    if at == len(waiting):
        waiting.append(parent)
    else:
        waiting[at] = parent


def _shown(lane: int) -> int:
    return min(lane, LANES - 1)


def _folded(pairs: list[tuple[int, int]]) -> list[tuple[int, int]]:
    return sorted({(_shown(one), _shown(other)) for one, other in pairs})
