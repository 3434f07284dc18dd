"""What guests pour in: log bytes and signs of life. Each message is safe to repeat, late or out of order."""

from __future__ import annotations

import re
from typing import Any

from apps.access.actor import Actor
from apps.access.levels import Level
from apps.access.policy import level_of
from apps.access.tokens import renew_run_keys
from apps.foundation.clock import now
from apps.foundation.errors import Forbidden
from apps.jobs.lifecycle import FINAL, State
from apps.jobs.models import Attempt, LogChunk

MAX_LOG_BYTES = 64 << 20
KEY_SECONDS = 900
HEARTBEAT_SECONDS = 10
# Tokens of ours, of GitHub and GitLab, and AWS key ids: all of a known length. Stars as many, so that offsets stay true.
_SECRET = re.compile(
    rb"bh_[A-Za-z0-9_-]{43}|gh[opsur]_[A-Za-z0-9]{36}|github_pat_[A-Za-z0-9_]{82}|glpat-[A-Za-z0-9_-]{20}|\bA(?:KIA|SIA)[A-Z0-9]{16}\b"
)
_SECRET_BYTES = 93


def attempt_of(actor: Actor) -> Attempt:
    """The living attempt that a run key belongs to, locked. Raises Forbidden for every other token."""
    kind, _, run_id = actor.activity.partition(":")
    attempt = None
    if kind == "job_run" and actor.token_id:
        rows = Attempt.objects.select_related("run__job__resource").select_for_update(of=("self",), no_key=True)
        attempt = rows.filter(token_id=actor.token_id).exclude(state__in=FINAL).first()
    if attempt is None or str(attempt.run_id) != run_id:
        raise Forbidden(
            "This address is for the guest of a job run that is under way, with its own key.", code="not_a_guest"
        )
    return attempt


def append_output(attempt: Attempt, offset: int, content: bytes) -> int:
    """Keep what lies beyond the guest's output kept so far, nothing if that would leave a gap; how many bytes are kept now."""
    have = attempt.log_bytes - attempt.setup_bytes
    if offset <= have < offset + len(content):
        append(attempt, content[have - offset :])
    return attempt.log_bytes - attempt.setup_bytes


def append(attempt: Attempt, content: bytes) -> None:
    """Add to the end of a locked attempt's log, with every secret of a known shape masked, also one that came in two pieces."""
    if not content:
        return
    kept = LogChunk.objects.filter(attempt=attempt).order_by("-offset").first()
    tail = bytes(kept.content[-(_SECRET_BYTES - 1) :]) if kept else b""
    masked = _mask(tail + content)
    if kept is not None and masked[: len(tail)] != tail:
        kept.content = bytes(kept.content)[: -len(tail)] + masked[: len(tail)]
        kept.save(update_fields=["content"])
    content = masked[len(tail) :]
    room = max(0, MAX_LOG_BYTES - attempt.log_bytes)
    if room:
        LogChunk(
            attempt=attempt,
            offset=attempt.log_bytes,
            end=attempt.log_bytes + len(content[:room]),
            line=attempt.log_lines,
            content=content[:room],
        ).save(force_insert=True)
    attempt.log_lines += content[:room].count(b"\n")
    attempt.log_bytes += len(content)
    attempt.save(update_fields=["log_bytes", "log_lines"])


def beat(actor: Actor, attempt: Attempt, usage: dict[str, Any]) -> dict[str, Any]:
    """Note that a guest lives and renew its key; the answer says whether it should stop."""
    attempt.heartbeat_at = now()
    attempt.cpu_seconds = usage.get("cpu_seconds", attempt.cpu_seconds)
    attempt.peak_memory_bytes = usage.get("peak_memory_bytes", attempt.peak_memory_bytes)
    attempt.save(update_fields=["heartbeat_at", "cpu_seconds", "peak_memory_bytes"])
    renew_run_keys(actor.activity, KEY_SECONDS)
    level = level_of(actor, attempt.run.job.resource)
    allowed = level is not None and level >= Level.USE
    return {"stop": not allowed or attempt.state == State.CANCELING, "heartbeat_seconds": HEARTBEAT_SECONDS}


def tell_end(attempt: Attempt, exit_code: int) -> None:
    """Note what the guest says of its end; its real end, seen from outside, decides, unless nobody could see it."""
    attempt.told_exit_code = exit_code
    attempt.heartbeat_at = now()
    attempt.save(update_fields=["told_exit_code", "heartbeat_at"])


def _mask(content: bytes) -> bytes:
    return _SECRET.sub(lambda found: b"*" * len(found[0]), content)
