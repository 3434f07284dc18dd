"""Why an attempt did not succeed, and what to do about it; pure."""

from __future__ import annotations

from dataclasses import dataclass

from django.db import models


class Cause(models.TextChoices):
    """What ended an attempt that did not succeed."""

    EXIT = "exit"
    SIGNAL = "signal"
    OUT_OF_MEMORY = "out_of_memory"
    OUT_OF_DISK = "out_of_disk"
    TIMEOUT = "timeout"
    ENVIRONMENT = "environment"
    REFUSED = "refused"
    UNSTARTED = "unstarted"
    LOST = "lost"
    SHUTDOWN = "shutdown"
    CANCELED = "canceled"


@dataclass(frozen=True)
class NextStep:
    """What to do now, in a sentence, and where: `settings`, `log`, `code`, `again` or nowhere."""

    text: str
    place: str = ""


_STEPS = {
    Cause.EXIT: NextStep("Its last error is marked in the log. Mend the script, commit, and run it again.", "log"),
    Cause.SIGNAL: NextStep("Something in it crashed below Python, often a compiled library. Its last lines are in the log.", "log"),
    Cause.OUT_OF_MEMORY: NextStep("Give the job more memory, or have the script read less at once.", "settings"),
    Cause.OUT_OF_DISK: NextStep("Write less to the working folder, or save results as a table or artifact on the way.", "code"),
    Cause.TIMEOUT: NextStep("Give the job more time, or make the work smaller by its parameters.", "settings"),
    Cause.ENVIRONMENT: NextStep("What the installer said is in the log. Mend the requirements, commit, and run it again.", "code"),
    Cause.REFUSED: NextStep("Once that is mended, run it again."),
    Cause.UNSTARTED: NextStep("This is the installation's fault, not the script's. An admin sees under Workers what is missing.", "again"),
    Cause.LOST: NextStep("This is no fault of the script. What it had written stays; try it again.", "again"),
    Cause.SHUTDOWN: NextStep("This is no fault of the script. What it had written stays; try it again.", "again"),
}  # fmt: skip


def next_step(cause: str) -> NextStep | None:
    """What somebody does after such an end, or None when there is nothing to do."""
    return _STEPS.get(Cause(cause)) if cause else None


def memory_to_give(memory_mb: int, peak_bytes: int | None) -> int:
    """How much memory to give a job that ran out of it: twice what it had, as a power of two."""
    wanted = max(2 * memory_mb, 2 * ((peak_bytes or 0) >> 20))
    return 1 << max(8, (wanted - 1).bit_length())
