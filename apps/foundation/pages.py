"""HTML pages: one address gives a whole page, or a fragment when htmx asks; errors become pages, messages or marked fields."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import wraps
from typing import Any
from urllib.parse import quote, urlsplit

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect, QueryDict
from django.http.response import HttpResponseBase
from django.template.loader import render_to_string
from django.urls import reverse

from apps.foundation.errors import (
    BoathouseError,
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    Stale,
    TooMany,
    Unauthenticated,
)

THEMES = ("light", "dark")


# What the shell shows: rooms register in apps.py, so no page knows who else is there.
@dataclass(frozen=True)
class NavItem:
    """One entry of the side bar, ordered by `group`, with a gap before each new whole number. `key` is the letter after `g`;
    `count` gives a number to show beside it, or None."""

    name: str
    label: str
    icon: str
    url_name: str
    group: float
    key: str = ""
    narrow: bool = False
    count: Callable[[HttpRequest], int | None] | None = None
    running: bool = False


@dataclass(frozen=True)
class Panel:
    """A piece that a room offers to pages of others: `template` filled by `context`, left out when that is None.

    Slots of the front page (`home.needs`, `home.main`, `home.side`) and of the shell (`topbar`, `sidenav`) call `context(request)`. Slots of every object page call
    `context(request, frame)`: `object.mark` beside the name, `object.action` before Share, `rail` with the order
    about 10, owner 20, tags 30, the page's own block 40, lineage 50, access 60, comments 70, activity 80.
    """

    slot: str
    order: int
    template: str
    context: Callable[..., Mapping[str, Any] | None]


_navigation: dict[str, NavItem] = {}
_panels: list[Panel] = []


def register_navigation(item: NavItem) -> None:
    """Put an entry into the side bar."""
    _navigation[item.name] = item


def navigation() -> list[NavItem]:
    """The entries of the side bar, in order."""
    return sorted(_navigation.values(), key=lambda item: item.group)


def register_panel(panel: Panel) -> None:
    """Offer a card to the slot of another page, such as `home.main` or `home.side`."""
    if panel not in _panels:
        _panels.append(panel)


def panels(
    request: HttpRequest, slot: str, *about: Any, orders: range = range(1000)
) -> list[tuple[str, dict[str, Any]]]:
    """The filled pieces of a slot, in order: template and context. `about` is the frame, in the slots of an object page."""
    chosen = sorted((p for p in _panels if p.slot == slot and p.order in orders), key=lambda panel: panel.order)
    filled = [(panel.template, panel.context(request, *about)) for panel in chosen]
    return [(template, dict(context)) for template, context in filled if context is not None]


# Page anatomy, as data: what templates/components/object.html prints.
@dataclass(frozen=True)
class Tab:
    """A section of a page: a link with its own address, and a count when that says something."""

    label: str
    href: str
    count: int | None = None
    current: bool = False


@dataclass(frozen=True)
class Frame:
    """The header and the rail of an object page. Crumbs are (text, address or None); `copy` is (label, text) of what can be copied.

    `resource` is the Resource that the page is about; star, Share and the rail come from it. A page of a part of it (a run, a
    version) says which: `part` is the path of a comment's place, such as `version:3`. `node` is what lineage knows the thing
    as: (kind, key) or (kind, key, version).
    """

    kind: str
    name: str
    crumbs: Sequence[tuple[str, str | None]] = ()
    tabs: Sequence[Tab] = ()
    copy: Sequence[tuple[str, str]] = ()
    snippets: Mapping[str, str] = field(default_factory=dict)
    mono: bool = False
    resource: Any = None
    part: str = ""
    node: tuple[Any, ...] = ()


# Filters: the small language of every filter bar.
@dataclass(frozen=True)
class Token:
    """One finished part of a filter: `status:failed`, `rows>100`, `-owner:ada`. `text` is how it was typed."""

    name: str
    operator: str
    value: str
    text: str
    negated: bool = False
    known: bool = True


@dataclass(frozen=True)
class Filter:
    """What a person filters by: tokens, and plain words that search the name."""

    tokens: Sequence[Token]
    words: str

    def get(self, name: str) -> str:
        """The value of the first token with this field and `:` or `=`, or the empty text."""
        return next(
            (
                token.value
                for token in self.tokens
                if token.name == name and token.operator in (":", "=") and not token.negated
            ),
            "",
        )

    @property
    def empty(self) -> bool:
        """Whether nothing is filtered."""
        return not self.tokens and not self.words


# No step back, and no start inside a word: the time stays in proportion to the text.
_PART = re.compile(r'(-?)(?<![\w.])([A-Za-z_][\w.]*+)(:>=|:<=|:>|:<|:|<=|>=|!=|=|<|>|~)("[^"]*"|\S+)')


def parse_filter(request: HttpRequest, fields: Sequence[str]) -> Filter:
    """The filter in the address: `f` for finished tokens and `q` for the text being typed. Unknown fields come back marked."""
    text = " ".join([*request.GET.getlist("f"), request.GET.get("q", "")])
    tokens = [
        Token(m[2], m[3], m[4].strip('"'), m[0], bool(m[1]), m[2] in fields or m[2].split(".")[0] + ".*" in fields)
        for m in _PART.finditer(text)
    ]
    return Filter(tokens, " ".join(_PART.sub(" ", text).split()))


# Answers
def is_fragment(request: HttpRequest) -> bool:
    """Whether htmx asks for a piece of this page."""
    return (
        request.headers.get("HX-Request") == "true" and request.headers.get("HX-Request-Type", "partial") == "partial"
    )


def target_id(request: HttpRequest) -> str:
    """The id of the element that the answer goes into, or the empty text (htmx sends `div#runs`)."""
    return request.headers.get("HX-Target", "").partition("#")[2]


def page_url(request: HttpRequest, route: str, /, **kwargs: Any) -> str:
    """The address of a page of this workspace, by route name."""
    return reverse(route, kwargs={"workspace": request.actor.workspace.name, **kwargs})  # type: ignore[attr-defined]


def go(request: HttpRequest, url: str, say: str = "") -> HttpResponse:
    """Send the person to `url` after a change, with a short message there when given."""
    if say:
        messages.success(request, say)
    if request.headers.get("HX-Request") == "true":
        return HttpResponse(status=200, headers={"HX-Redirect": url})
    response = HttpResponseRedirect(url)
    response.status_code = 303
    return response


def safe_next(request: HttpRequest, fallback: str = "/") -> str:
    """The `next` address when it is a path of this site, else `fallback`."""
    wanted = request.POST.get("next") or request.GET.get("next") or ""
    parts = urlsplit(wanted)
    plain = wanted.startswith("/") and not wanted.startswith(("//", "/\\")) and not parts.netloc and not parts.scheme
    return wanted if plain and not any(ord(c) < 32 or c == "\\" for c in wanted) else fallback


def render(
    request: HttpRequest, template: str, context: Mapping[str, Any] | None = None, status: int = 200
) -> HttpResponse:
    """The template as an answer, with everything the shell needs."""
    whole = not template.rpartition("/")[2].startswith("_") and not (
        is_fragment(request) and target_id(request) == "main"
    )
    values: dict[str, Any] = {"base_template": "base.html" if whole else "fragment.html", "errors": {}, "values": {}}
    if whole:
        values |= shell(request)
    response = HttpResponse(render_to_string(template, {**values, **(context or {})}, request), status=status)
    response["Vary"] = "HX-Request, HX-Target, Cookie"
    response["Cache-Control"] = "no-store"
    return response


def shell(request: HttpRequest) -> dict[str, Any]:
    """What the frame around every page shows: theme, place, navigation."""
    actor = getattr(request, "actor", None)
    theme = request.COOKIES.get("theme", "")
    items = navigation() if actor else []
    here = getattr(request.resolver_match, "namespace", "") if request.resolver_match else ""
    entries: list[dict[str, Any]] = []
    for item in items:
        new_group = bool(entries) and int(entries[-1]["item"].group) != int(item.group)
        count = item.count(request) if item.count else None
        entries.append(
            {
                "item": item,
                "url": page_url(request, item.url_name),
                "gap": new_group,
                "current": item.name == here,
                "count": count,
            }
        )
    return {
        "theme": theme if theme in THEMES else "",
        "navigation": entries,
        "running": next((entry for entry in entries if entry["item"].running and entry["count"]), None),
        "actor": actor,
        "topbar": panels(request, "topbar") if actor else [],
        "sidenav": panels(request, "sidenav") if actor else [],
        "development": settings.DEVELOPMENT,
    }


View = Callable[..., Mapping[str, Any] | HttpResponseBase]


def page(
    template: str,
    methods: Sequence[str] = ("GET",),
    *,
    fragments: Mapping[str, str] | None = None,
    anonymous: bool = False,
) -> Callable[[View], Callable[..., HttpResponseBase]]:
    """A view from a function that returns the template's context, or a whole answer.

    `fragments` maps the id of an htmx target to the template that fills it. A POST that raises Invalid or Conflict
    shows the page again with `errors` and `values` set, if the page also takes GET. `anonymous` lets nobody in particular in.
    """

    def decorate(view: View) -> Callable[..., HttpResponseBase]:
        @wraps(view)
        def answer(request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
            if request.method not in methods and not (request.method == "HEAD" and "GET" in methods):
                return HttpResponseNotAllowed(methods)
            kwargs.pop("workspace", None)
            wanted = (fragments or {}).get(target_id(request), template) if is_fragment(request) else template
            try:
                if not anonymous and getattr(request, "actor", None) is None:
                    raise Unauthenticated
                if request.method == "POST":
                    _refuse_nul(request.POST)
                result = view(request, **kwargs)
                return result if isinstance(result, HttpResponseBase) else render(request, wanted, result)
            except (Invalid, Conflict, TooMany) as error:
                # A button's answer goes into a place that cannot hold a whole page, so it becomes a message.
                whole_page = (
                    is_fragment(request) and wanted == template and not template.rpartition("/")[2].startswith("_")
                )
                if request.method == "POST" and "GET" in methods and not whole_page:
                    return _show_again(request, view, wanted, kwargs, error)
                return render_error(request, error)
            except BoathouseError as error:
                return render_error(request, error)

        answer.page_template = template  # type: ignore[attr-defined]
        answer.page_methods = tuple(methods)  # type: ignore[attr-defined]
        return answer

    return decorate


def _refuse_nul(posted: QueryDict) -> None:
    """Raises Invalid for a NUL character: the database takes it in no text."""
    if wrong := [name for name, values in posted.lists() if "\0" in name or any("\0" in value for value in values)]:
        raise Invalid(fields=dict.fromkeys(wrong, "It contains a NUL character, which cannot be stored."))


def _show_again(
    request: HttpRequest, view: View, template: str, kwargs: dict[str, Any], error: BoathouseError
) -> HttpResponseBase:
    """The form as it was filled in, with the sentences beside its fields."""
    fields = dict(error.fields) if isinstance(error, Invalid) else {}
    posted: QueryDict = request.POST
    request.method = "GET"
    try:
        result = view(request, **kwargs)
    except BoathouseError as second:
        return render_error(request, second)
    finally:
        request.method = "POST"
    if isinstance(result, HttpResponseBase):
        return result
    errors = {**fields, "": "" if fields else error.message}
    return render(request, template, {**result, "errors": errors, "values": posted}, status=error.status)


def render_error(request: HttpRequest, error: BoathouseError) -> HttpResponse:
    """An error as a page, as a piece of one, or as a message when it answers a button."""
    request.refusal = error  # type: ignore[attr-defined]
    if isinstance(error, Unauthenticated):
        return _to_sign_in(request)
    context = {"error": error, "request_id": getattr(request, "request_id", "")}
    if request.headers.get("HX-Request") == "true":
        response = render(
            request,
            "components/_toast.html" if request.method != "GET" else "components/_error.html",
            context,
            error.status,
        )
        if request.method != "GET":
            response["HX-Retarget"] = "#toasts"
            response["HX-Reswap"] = "beforeend"
        return response
    if isinstance(error, NotFound):
        template = "errors/missing.html"
    elif isinstance(error, Forbidden):
        template = "errors/denied.html"
    elif isinstance(error, Stale):
        template = "errors/stale.html"
    else:
        template = "errors/other.html"
    response = render(request, template, context, error.status)
    if retry := getattr(error, "retry_after_seconds", None):
        response["Retry-After"] = str(retry)
    return response


def _to_sign_in(request: HttpRequest) -> HttpResponse:
    here = request.headers.get("HX-Current-URL", "") if request.headers.get("HX-Request") else request.get_full_path()
    parts = urlsplit(here)
    back = parts.path + (f"?{parts.query}" if parts.query else "")
    url = (
        f"{settings.LOGIN_URL}?next={quote(back)}"
        if request.method == "GET" and back not in ("", "/")
        else settings.LOGIN_URL
    )
    if request.headers.get("HX-Request") == "true":
        return HttpResponse(status=401, headers={"HX-Redirect": url})
    return HttpResponseRedirect(url)


def render_broken(request: HttpRequest) -> HttpResponse:
    """A fault of ours: nothing but the number to quote, asking nothing of the database."""
    context = {
        "request_id": getattr(request, "request_id", ""),
        "base_template": "bare.html",
        "theme": request.COOKIES.get("theme", ""),
        "page_title": "Something broke",
    }
    return HttpResponse(render_to_string("errors/broken.html", context), status=500)
