"""Pages of a repository's history: commits with the lines of their branches, what each changed and made, two of them compared."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby
from types import SimpleNamespace
from typing import Any

from django.http import HttpRequest

from apps.foundation.clock import now
from apps.foundation.errors import Invalid
from apps.foundation.pages import page, page_url, parse_filter
from apps.foundation.paging import Page
from apps.jobs import queries as jobs
from apps.repos import git, graph, queries, refnames
from apps.repos.opening import Opened, open_repo
from apps.repos.sidebyside import lay_out

ROWS = 40
WAITING = 20


@page("repos/commits.html")
def commits(request: HttpRequest, repo_id: str) -> dict[str, Any]:
    """The history, by day, beside the chosen commit and what it changed."""
    opened = open_repo(request, repo_id)
    context = opened.context("commits")
    if not opened.commit:
        return context | {"nothing": True}
    wanted = parse_filter(request, ["author", "path", "message"])
    path = wanted.get("path") or request.GET.get("path", "").strip("/")
    asked = {"author": wanted.get("author"), "words": wanted.words or wanted.get("message")}
    shown = queries.list_commits(
        opened.repo, ref=opened.commit, path=path, token=request.GET.get("page_token"), size=ROWS, **asked
    )
    rows = list(shown.items)
    here, unpushed, waiting = opened.here, set[str](), []
    plain = not path and not any(asked.values()) and not opened.asked
    if plain and here.hosted and here.hosted != here.commit:
        between = opened.repo.git.history(here.commit, without=here.hosted, size=200)
        unpushed = {commit.sha for commit in between}
        if "page_token" not in request.GET:
            waiting = opened.repo.git.history(here.hosted, without=here.commit, size=WAITING)
    head = request.GET.get("commit", "") or (rows[0].sha if rows else "")
    change = queries.get_change(opened.repo, head=head) if head else None
    nodes = graph.lanes([(commit.sha, commit.parents) for commit in rows]) if plain else []
    lines = _lines(opened, [*waiting, *rows], {c.sha for c in waiting}, unpushed, nodes)
    laid_out = lay_out(opened.repo.git, change.diff) if change else []
    key = f"{opened.repo.pk}:{change.head.sha}" if change else ""
    return context | {
        "filter": wanted,
        "page": Page(rows, shown.next_token),
        "days": [(day, list(some)) for day, some in groupby(lines, key=lambda line: line.day)],
        "lane_count": min(graph.width(nodes), graph.LANES) if nodes else 0,
        "path": path,
        "change": change,
        "node_key": key,
        "check": _runs(opened, [change.head.sha]).get(change.head.sha) if change else None,
        "shown": laid_out,
        "has_notebooks": any(file.notebook for file in laid_out),
        "talks": {"talks": queries.count_line_talks(opened.actor, opened.repo, change.head.sha)} if change else None,
    }


@page("repos/compare.html")
def compare(request: HttpRequest, repo_id: str) -> dict[str, Any]:
    """What one branch, tag or commit has that another has not."""
    opened = open_repo(request, repo_id)
    context = opened.context("commits")
    base, head = request.GET.get("base", ""), request.GET.get("head", "")
    context |= {"base": base or opened.repo.default_branch, "head": head, "tags": sorted(opened.repo.git.refs("tags"))}
    if not opened.heads or not base or not head:
        return context
    change = queries.get_change(opened.repo, head=head, base=base, three_dot=request.GET.get("direct") != "on")
    tips = queries.resolve(opened.repo, base), change.head.sha
    ahead, behind = opened.repo.git.ahead_behind(*tips)
    between = opened.repo.git.history(tips[1], without=tips[0], size=WAITING)
    shown = lay_out(opened.repo.git, change.diff)
    return context | {
        "change": change,
        "shown": shown,
        "has_notebooks": any(file.notebook for file in shown),
        "ahead": ahead,
        "behind": behind,
        "between": between,
    }


@page("repos/_line_talk.html")
def line_talk(request: HttpRequest, repo_id: str) -> dict[str, Any]:
    """The threads on one line of what a commit changed, and the composer."""
    opened = open_repo(request, repo_id)
    sha = queries.resolve(opened.repo, refnames.require_sha(request.GET.get("commit", "")))
    side, _, number = request.GET.get("n", "").partition(":")
    path = refnames.require_path(request.GET.get("path", ""))
    if side not in ("+", "-") or not number.isdecimal() or not path:
        raise Invalid(fields={"n": "Side and number of a line, such as +:12."})
    return {
        "resource": opened.repo.resource,
        "place": f"diff:{sha}:{path}:{side}{number}",
        "quote": request.GET.get("quote", "")[:500],
        "label": f"{path}, line {number}",
    }


def _lines(
    opened: Opened, commits: Iterable[git.Commit], waiting: set[str], unpushed: set[str], nodes: list[graph.Node]
) -> list[SimpleNamespace]:
    """What the list prints of each commit."""
    shown = list(commits)
    runs = _runs(opened, [commit.sha for commit in shown])
    lanes = iter(nodes)
    today = now().date()
    lines = []
    for commit in shown:
        is_waiting = commit.sha in waiting
        day = commit.committed_at.date() if commit.committed_at else None
        lines.append(
            SimpleNamespace(
                commit=commit,
                day="Today" if day == today else day,
                node=None if is_waiting else next(lanes, None),
                runs=runs.get(commit.sha),
                note="pushed, not here" if is_waiting else "not pushed" if commit.sha in unpushed else "",
            )
        )
    return lines


def _runs(opened: Opened, shas: list[str]) -> dict[str, SimpleNamespace]:
    """For each commit the job runs from it: how many, and the newest with its address."""
    found: dict[str, SimpleNamespace] = {}
    rows = jobs.list_runs(opened.actor).filter(source=opened.repo.resource, commit__in=shas).order_by("-created_at")
    for run in rows[:400]:
        if run.commit in found:
            found[run.commit].count += 1
        else:
            url = page_url(opened.request, "jobs:run", run_id=run.pk)
            found[run.commit] = SimpleNamespace(run=run, count=1, url=url)
    return found
