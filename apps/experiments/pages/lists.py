"""The list of experiments, and what concerns one as a whole: its notes and settings."""

from __future__ import annotations

from typing import Any

from django.conf import settings as django_settings
from django.db.models import Q
from django.http import HttpRequest, HttpResponse

from apps.access.levels import Level
from apps.access.models import Resource
from apps.access.policy import fetch, fetch_path, visible
from apps.access.resources import root_resource
from apps.experiments import listings, operations, queries
from apps.experiments.columns import goal_of
from apps.experiments.models import Experiment
from apps.experiments.pages.frames import open_experiment
from apps.foundation.errors import Invalid, NotFound
from apps.foundation.pages import go, page, page_url, parse_filter
from apps.foundation.paging import page as page_of

FIELDS = ["name", "folder", "owner"]
ORDERS = {
    "name": ("resource__name", "pk"),
    "-name": ("-resource__name", "-pk"),
    "changed": ("changed_at", "pk"),
    "-changed": ("-changed_at", "-pk"),
}
DEFAULT_ORDER = "-changed"


@page("experiments/list.html", methods=["GET", "POST"])
def list_experiments(request: HttpRequest) -> dict[str, Any] | HttpResponse:
    """The experiments one may read; make a new one, put one into the trash, take one out."""
    actor = request.actor  # type: ignore[attr-defined]
    if request.method == "POST":
        return _act(request)
    wanted = parse_filter(request, FIELDS)
    trashed = request.GET.get("stage") == "deleted"
    order = request.GET.get("order", DEFAULT_ORDER)
    found = visible(Experiment, actor, trashed=trashed).select_related("resource__owner")
    if wanted.words or wanted.get("name"):
        words = Q(resource__name__icontains=wanted.words) | Q(plain_name__icontains=wanted.words)
        found = found.filter(words if wanted.words else Q(resource__name__icontains=wanted.get("name")))
    if wanted.get("folder"):
        found = found.filter(resource__path__istartswith="/" + wanted.get("folder").strip("/") + "/")
    if wanted.get("owner"):
        found = found.filter(resource__owner__email__istartswith=wanted.get("owner"))
    rows = page_of(found, order=ORDERS.get(order, ORDERS[DEFAULT_ORDER]), token=request.GET.get("page_token"))
    return {
        "page_title": "Experiments",
        "page": rows,
        "entries": listings.describe(actor, rows.items),
        "filter": wanted,
        "trashed": trashed,
        "home": f"/Users/{actor.label}",
        "url": django_settings.BOATHOUSE_URL,
    }


def _act(request: HttpRequest) -> HttpResponse:
    actor, posted = request.actor, request.POST  # type: ignore[attr-defined]
    act = posted.get("act", "create")
    if act in ("delete", "restore"):
        experiment = fetch(Experiment, posted.get("experiment", ""), actor=actor, trashed=None)
        change = operations.delete_experiment if act == "delete" else operations.restore_experiment
        change(actor=actor, experiment=experiment)
        home = page_url(request, "experiments:list")
        if act == "restore":
            return go(request, page_url(request, "experiments:detail", experiment_id=experiment.pk), say="Restored")
        return go(request, home, say=f"{experiment.resource.name} is in the trash")
    parent = _folder(request, posted.get("folder", "/").strip().rstrip("/"))
    made = operations.create_experiment(actor=actor, parent=parent, name=posted.get("name", "").strip())
    return go(request, page_url(request, "experiments:detail", experiment_id=made.pk))


def _folder(request: HttpRequest, path: str) -> Resource:
    try:
        if not path:
            return root_resource()
        return fetch_path(Resource, "folder", path, actor=request.actor, needs=Level.DISCOVER)  # type: ignore[attr-defined]
    except NotFound:
        raise Invalid(fields={"folder": "There is no such folder, or you may not know of it."}) from None


@page("experiments/list.html")
def by_number(request: HttpRequest, number: int) -> HttpResponse:
    """An experiment by the id that clients know it by."""
    found = queries.get_experiment(request.actor, number)  # type: ignore[attr-defined]
    return go(request, page_url(request, "experiments:detail", experiment_id=found.pk))


@page("experiments/notes.html", methods=["GET", "POST"])
def notes(request: HttpRequest, experiment_id: str) -> dict[str, Any] | HttpResponse:
    """What people wrote about an experiment, as markdown."""
    actor = request.actor  # type: ignore[attr-defined]
    experiment = fetch(Experiment, experiment_id, actor=actor)
    if request.method == "POST":
        tags = {operations.NOTE_TAG: request.POST.get("text", "")}
        operations.set_experiment_tags(actor=actor, experiment=experiment, tags=tags)
        return go(request, page_url(request, "experiments:notes", experiment_id=experiment.pk), say="Notes saved")
    more = {"text": experiment.tags.get(operations.NOTE_TAG, ""), "editing": request.GET.get("edit") == "on"}
    return open_experiment(request, experiment, "notes") | more


@page("experiments/settings.html", methods=["GET", "POST"])
def settings(request: HttpRequest, experiment_id: str) -> dict[str, Any] | HttpResponse:
    """Goal, name and trash."""
    actor, posted = request.actor, request.POST  # type: ignore[attr-defined]
    experiment = fetch(Experiment, experiment_id, actor=actor, needs=Level.EDIT)
    here = page_url(request, "experiments:settings", experiment_id=experiment.pk)
    if request.method == "POST" and posted.get("act") == "goal":
        metric = posted.get("metric", "").strip()
        operations.set_goal(actor=actor, experiment=experiment, metric=metric, way=posted.get("way", ""))
        return go(request, here, say="Goal set" if metric else "Goal taken away")
    if request.method == "POST":
        operations.rename_experiment(actor=actor, experiment=experiment, name=posted.get("name", "").strip())
        return go(request, here, say="Renamed")
    return open_experiment(request, experiment, "settings") | {"declared": goal_of(experiment)}
