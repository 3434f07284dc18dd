"""What every benchmark measures with: interleaved rounds, medians, ratios, and the CPU and memory of whole process trees."""

from __future__ import annotations

import os
import platform
import statistics
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

TICK = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Figures:
    """Milliseconds of one case: the median, and the quickest tenth, which the neighbours' load hardly moves."""

    median: float
    best: float

    def __str__(self) -> str:
        return f"{self.median:.2f} ms (best {self.best:.2f})"


def interleaved(cases: Mapping[str, Callable[[], object]], rounds: int = 7, calls: int = 1) -> dict[str, Figures]:
    """Each case's milliseconds per call: one call that does not count, then the cases by turns, `calls` in a row each."""
    for case in cases.values():
        case()
    spent: dict[str, list[float]] = {name: [] for name in cases}
    for turn in range(rounds):
        names = list(cases) if turn % 2 == 0 else list(reversed(cases))
        for name in names:
            for _ in range(calls):
                began = time.perf_counter()
                cases[name]()
                spent[name].append((time.perf_counter() - began) * 1000)
    return {name: Figures(statistics.median(times), sorted(times)[len(times) // 10]) for name, times in spent.items()}


def tree(root: int) -> list[int]:
    """A process and everything it started that is still its descendant."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
    found = [root]
    for pid in found:
        found += [child for child, parent in parents.items() if parent == pid]
    return found


def cpu_ms(pids: Iterable[int]) -> float:
    """CPU milliseconds that these processes have used so far."""
    total = 0
    for pid in pids:
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        total += int(fields[11]) + int(fields[12])
    return total * 1000 / TICK


def memory_mb(pid: int) -> tuple[float, float]:
    """(resident, proportional) megabytes: the second counts what processes share only once over all of them."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
    sizes = {line.split(":")[0]: int(line.split()[1]) / 1024 for line in lines}
    return sizes["Rss"], sizes["Pss"]


def about(*distributions: str) -> str:
    """The line that a result needs to be believed: machine, Python, versions, load."""
    versions = " ".join(f"{name} {version(name)}" for name in distributions)
    load = "/".join(f"{value:.0f}" for value in os.getloadavg())
    return f"{os.cpu_count()} cores, load {load}, Python {platform.python_version()} {versions}"


def table(head: tuple[str, ...], rows: Iterable[tuple[object, ...]]) -> str:
    """Text columns, the first to the left, the others to the right."""
    lines = [head, *(tuple(f"{cell:.2f}" if isinstance(cell, float) else str(cell) for cell in row) for row in rows)]
    widths = [max(len(line[place]) for line in lines) for place in range(len(head))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if place == 0 else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        for line in lines
    )
