"""What speaks for and against moving a version where another one is: plain facts, none of which decides."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from apps.registry.serving import Serving
from apps.registry.standing import Comparison, Standing, Target


@dataclass(frozen=True)
class Check:
    """One fact: `passed`, or for the reviewer to judge; `tab` is the section of the page that shows more."""

    passed: bool
    title: str
    note: str
    tab: str = "compare"


def checks(
    version: Standing, compared: Comparison | None, target: Target | None, serving: Sequence[Serving]
) -> list[Check]:
    """The facts about a version, compared with the one in Production when there is one."""
    found = [_servable(version)]
    if compared is not None:
        found.append(_signature(compared))
        if target is not None:
            found.append(_measured(compared, target))
    found.append(_traced(version))
    found.append(_tried(serving))
    return found


def _servable(version: Standing) -> Check:
    row = version.version
    if row.files_at is None:
        return Check(False, "No files are kept here", "an endpoint cannot serve it", "artifacts")
    if problem := row.facts.get("problem"):
        return Check(False, "Its MLmodel file cannot be read", str(problem)[:200], "artifacts")
    if not version.columns:
        return Check(False, "It has no signature", "an endpoint takes whatever comes", "schema")
    return Check(True, "It can be served", "files, signature and environment are kept with the version", "artifacts")


def _signature(compared: Comparison) -> Check:
    before = f"v{compared.before.version.version}"
    if breaking := compared.breaks:
        names = ", ".join(change.name or change.part for change in breaking[:4])
        return Check(False, f"Requests that {before} takes may be refused", f"{names}: see the schema")
    same = len([column for column in compared.after.columns if column.part == "inputs"])
    return Check(True, f"Signature accepts every {before} request", f"{same} inputs, none newly required")


def _measured(compared: Comparison, target: Target) -> Check:
    line = next((line for line in compared.metrics if line.name == target.key), None)
    before = f"v{compared.before.version.version}"
    if line is None or line.delta is None:
        return Check(False, f"{target.key} was not measured for both", f"nothing to compare with {before}")
    told = f"{target.key} {line.after:.4g} against {line.before:.4g}"
    if line.tone == "ok":
        return Check(True, f"Better than {before} on held-out data", told)
    word = "Worse than" if line.tone == "bad" else "No better than"
    return Check(False, f"{word} {before} on held-out data", told)


def _traced(version: Standing) -> Check:
    if version.hidden and not version.tables:
        return Check(False, "Its data may not be seen by you", f"{version.hidden} sources are hidden", "overview")
    if version.commit and version.tables:
        names = ", ".join(f"{node.name} v{node.version}" for node in version.tables[:3])
        return Check(True, "Code and data are known", f"commit {version.commit[:7]}, {names}", "overview")
    missing = " and ".join(word for word, known in (("commit", version.commit), ("data", version.tables)) if not known)
    return Check(False, f"Its {missing} was not recorded", "it cannot be made again from here", "overview")


def _tried(serving: Sequence[Serving]) -> Check:
    if not serving:
        return Check(False, "Not tried on live traffic", "no endpoint serves it", "overview")
    names = ", ".join(one.name for one in serving[:3])
    calm = all(one.tone == "ok" for one in serving)
    return Check(calm, f"Serves {names}", serving[0].note, "overview")
