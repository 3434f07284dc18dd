"""The files of a run: a tree, a look into the chosen one by its kind, and the bytes."""

from __future__ import annotations

from typing import Any

from django.http import FileResponse, HttpRequest
from django.http.response import HttpResponseBase

from apps.experiments import artifacts, looks, queries
from apps.experiments.pages.frames import open_run
from apps.foundation.errors import Invalid, NotFound
from apps.foundation.pages import page, page_url

# Without scripts and without anything from elsewhere: a file may look as it likes, and can do nothing.
FRAME_POLICY = (
    "sandbox; default-src 'none'; img-src data:; style-src 'unsafe-inline'; font-src data:; frame-ancestors 'self'"
)
CLOSED_POLICY = "default-src 'none'; sandbox"


@page("experiments/artifacts.html")
def show_artifacts(request: HttpRequest, run_id: str) -> dict[str, Any]:
    """The tree of a run's files, and a look into the chosen one."""
    row, context = open_run(request, run_id, "artifacts")
    actor, path = request.actor, request.GET.get("path", "").strip("/")  # type: ignore[attr-defined]
    tree = looks.tree_of(artifacts.run_place(actor, row, ""), open_at=path)
    context |= {
        "path": path,
        "tree": tree,
        "place_url": page_url(request, "experiments:artifacts", run_id=row.hex),
        "file_url": page_url(request, "experiments:artifact", run_id=row.hex),
    }
    chosen = path or tree.first
    if not chosen:
        return context
    place = artifacts.run_place(actor, row, chosen)
    try:
        look = looks.look_at(place, view=request.GET.get("view", ""))
    except (Invalid, NotFound):
        if path and not tree.has_folder(path):
            raise
        return context
    return context | {"look": look, "chosen": chosen}


@page("experiments/artifacts.html")
def artifact(request: HttpRequest, run_id: str) -> HttpResponseBase:
    """A file of a run: a picture or a closed-in page to be shown in its page, anything else as a download."""
    row = queries.get_run(request.actor, run_id)  # type: ignore[attr-defined]
    path = request.GET.get("path", "")
    file = artifacts.open_file(artifacts.run_place(request.actor, row, path))  # type: ignore[attr-defined]
    name = path.rpartition("/")[2]
    framed = request.GET.get("frame") == "on" and looks.kind_of(name) == "html"
    kind = "text/html; charset=utf-8" if framed else looks.IMAGES.get(looks.suffix_of(name), "")
    shown = bool(kind) and request.GET.get("download") != "on"
    answer = FileResponse(
        file, as_attachment=not shown, filename=name, content_type=kind if shown else "application/octet-stream"
    )
    answer["Content-Security-Policy"] = FRAME_POLICY if framed and shown else CLOSED_POLICY
    if framed and shown:
        answer["X-Frame-Options"] = "SAMEORIGIN"
    return answer
