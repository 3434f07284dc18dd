"""A run beside another one of its job: what differs in time, code, parameters and packages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from apps.jobs.lifecycle import State
from apps.jobs.models import JobRun


@dataclass(frozen=True)
class Difference:
    """One line of the comparison; `name` is a parameter or package, or one of our words."""

    name: str
    before: Any
    after: Any

    @property
    def changed(self) -> bool:
        """Whether the two differ."""
        return bool(self.before != self.after)


@dataclass(frozen=True)
class Comparison:
    """All that differs between two runs. `slower` is how many times as long it took, when both have ended."""

    other: JobRun
    parameters: list[Difference]
    packages: list[Difference]
    same_commit: bool
    same_environment: bool
    slower: float | None

    @property
    def changes(self) -> int:
        """How many things differ."""
        found = sum(difference.changed for difference in self.parameters) + (not self.same_commit)
        return found + (not self.same_environment)


def previous_success(run: JobRun) -> JobRun | None:
    """The newest run of the job before this one that succeeded."""
    before = JobRun.objects.filter(job_id=run.job_id, number__lt=run.number, state=State.SUCCEEDED)
    return before.select_related("user", "environment_used").order_by("-number").first()


def compare(run: JobRun, other: JobRun) -> Comparison:
    """What differs in `run` from `other`."""
    names = list(dict.fromkeys([*other.parameters, *run.parameters]))
    parameters = [Difference(name, other.parameters.get(name), run.parameters.get(name)) for name in names]
    before, after = (_packages(one.environment_used.lock if one.environment_used else "") for one in (other, run))
    packages = [
        Difference(name, before.get(name), after.get(name))
        for name in sorted({*before, *after})
        if before.get(name) != after.get(name)
    ]
    known = run.environment_used is not None
    slower = run.seconds / other.seconds if run.is_final and run.seconds and other.seconds else None
    return Comparison(
        other=other,
        parameters=parameters,
        packages=packages if known else [],
        same_commit=run.commit == other.commit and run.source_id == other.source_id,
        same_environment=not known or run.environment_used_id == other.environment_used_id,
        slower=slower,
    )


def _packages(lock: str) -> dict[str, str]:
    """The pinned packages of a lock: name and version."""
    pinned = (line.split("==", 1) for line in lock.splitlines() if "==" in line and not line.startswith((" ", "#")))
    return {name.strip(): rest.split()[0].rstrip(";\\") for name, rest in pinned}


def packages_of(run: JobRun) -> list[tuple[str, str]]:
    """What the run's environment holds."""
    return sorted(_packages(run.environment_used.lock).items()) if run.environment_used else []
