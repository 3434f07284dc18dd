"""Small marks: icon, tile, badge, stage, status, person, chip, button, time."""

from __future__ import annotations

import datetime
import json
import logging
from functools import lru_cache
from typing import Any
from urllib.parse import quote

from django import template
from django.conf import settings
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe

from apps.foundation.clock import now

register = template.Library()
log = logging.getLogger(__name__)
FAVICON = (
    "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 28 28'><rect width='28' height='28' rx='7' fill='#06668a'/>"
    "<path d='M6 14 14 7l8 7M9 13v5M19 13v5M14 12v6M6 21h16' fill='none' stroke='white' stroke-width='2'/></svg>"
)

# kind: (icon, class of the tile's colour)
KINDS = {
    "repo": ("folder-git-2", "repo"), "commit": ("git-commit-horizontal", "repo"), "folder": ("folder", "repo"),
    "notebook": ("notebook-text", "notebook"), "catalog": ("database", "table"), "schema": ("folder-tree", "table"),
    "table": ("table-2", "table"), "table_version": ("table-2", "table"), "view": ("table-properties", "table"),
    "inference": ("scroll-text", "table"), "query": ("square-terminal", "table"), "feature": ("layers", "feature"),
    "experiment": ("flask-conical", "experiment"), "run": ("play", "run"), "logged_model": ("package", "model"),
    "model": ("box", "model"), "registered_model": ("box", "model"), "version": ("box", "version"), "model_version": ("box", "version"),
    "deploy": ("radio-tower", "deploy"), "endpoint": ("radio-tower", "deploy"), "job": ("chart-gantt", "job"), "job_run": ("chart-gantt", "job"),
    "person": ("user-round", ""), "group": ("users", ""), "service": ("bot", "repo"), "token": ("key-round", ""), "workspace": ("building-2", ""),
}  # fmt: skip

# state: (icon, tone, word)
STATES = {
    "finished": ("circle-check", "ok", "Finished"), "succeeded": ("circle-check", "ok", "Succeeded"), "ready": ("circle-check", "ok", "Ready"),
    "healthy": ("circle-check", "ok", "Healthy"), "running": ("loader-circle", "accent", "Running"), "starting": ("loader-circle", "accent", "Starting"),
    "building": ("loader-circle", "accent", "Building"), "canceling": ("loader-circle", "warn", "Canceling"), "stopping": ("loader-circle", "warn", "Stopping"),
    "updating": ("loader-circle", "accent", "Updating"), "scheduled": ("clock", "subtle", "Scheduled"), "queued": ("clock", "subtle", "Queued"),
    "pending": ("clock", "subtle", "Pending"), "retrying": ("rotate-cw", "warn", "Retrying"), "failed": ("circle-x", "bad", "Failed"),
    "unhealthy": ("circle-x", "bad", "Unhealthy"), "lost": ("circle-help", "bad", "Lost"), "killed": ("circle-slash", "subtle", "Canceled"),
    "canceled": ("circle-slash", "subtle", "Canceled"), "stopped": ("circle-slash", "subtle", "Stopped"), "skipped": ("circle-dashed", "subtle", "Skipped"),
    "degraded": ("triangle-alert", "warn", "Degraded"), "upload_pending": ("clock", "subtle", "Uploading"),
}  # fmt: skip
STAGES = {"none": "", "staging": "warn", "production": "ok", "archived": ""}
SPINNING = "loader-circle"
BADGE_TONES = {"accent": "info", "subtle": "", "ok": "ok", "warn": "warn", "bad": "bad"}
INKS = ("experiment", "table", "deploy", "model", "feature", "job", "notebook", "repo")


@lru_cache(maxsize=1)
def _bundle(_stamp: float) -> dict[str, Any]:
    dist = settings.BASE_DIR / "static" / "dist"
    entry = json.loads((dist / ".vite" / "manifest.json").read_text())["main.ts"]
    sprite = json.loads((dist / "icons.json").read_text())
    return {
        "script": entry["file"],
        "styles": entry.get("css", []),
        "icons": sprite["file"],
        "names": frozenset(sprite["names"]),
    }


def bundle() -> dict[str, Any]:
    """The built files: script, styles, icons (the sprite's file) and names (what is in it). Empty values while nothing is built."""
    manifest = settings.BASE_DIR / "static" / "dist" / ".vite" / "manifest.json"
    try:
        return _bundle(manifest.stat().st_mtime)
    except FileNotFoundError:
        log.warning("The front-end bundle is not built: run make up, or npm ci and npm run build in static/src")
        return {"script": "", "styles": [], "icons": "", "names": None}


@register.simple_tag
def asset(name: str) -> str:
    """The address of the built `script` or of the `icons` sprite."""
    return settings.STATIC_URL + bundle()[name]


@register.simple_tag
def favicon() -> SafeString:
    """The mark of the browser's tab, as an address that needs no request."""
    return mark_safe("data:image/svg+xml," + quote(FAVICON, safe="/ '=:"))


@register.simple_tag
def stylesheets() -> SafeString:
    """The links to the built stylesheets."""
    return format_html_join(
        "", '<link rel="stylesheet" href="{}{}">', ((settings.STATIC_URL, name) for name in bundle()["styles"])
    )


@register.simple_tag
def icon(name: str, extra: str = "") -> SafeString:
    """`{% icon "play" "s" %}`: a lucide icon; sizes s, none, l; `spin` turns it."""
    names = bundle()["names"]
    if settings.DEVELOPMENT and names is not None and name not in names:
        log.warning(
            "icon %r is not in the sprite: no lucide icon is called so, or npm run build in static/src is due", name
        )
    classes = f"icon {extra}".strip()
    return format_html('<svg class="{}" aria-hidden="true"><use href="{}#i-{}"/></svg>', classes, asset("icons"), name)


@register.simple_tag
def tile(kind: str, size: str = "") -> SafeString:
    """The tinted icon of a kind of thing; sizes none, l, xl."""
    name, ink = KINDS.get(kind, ("box", ""))
    return format_html(
        '<span class="tile{}{}">{}</span>', f" k-{ink}" if ink else "", f" {size}" if size else "", icon(name)
    )


@register.simple_tag
def badge(text: str, tone: str = "", name: str = "") -> SafeString:
    """`{% badge "2 alerts" "bad" "octagon-alert" %}`: tones ok, warn, bad, wait, info, line."""
    return format_html(
        '<span class="badge{}">{}{}</span>', f" {tone}" if tone else "", icon(name) if name else "", text
    )


@register.simple_tag
def stage(name: str) -> SafeString:
    """A model version's stage; the shape of its ring says it without colour."""
    word = name or "None"
    tone = STAGES.get(word.lower(), "")
    return format_html('<span class="badge stage {} {}">{}</span>', word.lower(), tone, word)


def _state(state: str) -> tuple[str, str, str]:
    return STATES.get(str(state).lower(), ("circle-dashed", "subtle", str(state).replace("_", " ").capitalize()))


@register.simple_tag
def status(state: str, text: str | bool = True) -> SafeString:
    """The state of a run, job run or endpoint: icon and word. `text` replaces the word; False leaves the icon alone."""
    name, tone, word = _state(state)
    mark = format_html(
        '<span class="{}" title="{}">{}</span>', tone, word, icon(name, "s spin" if name == SPINNING else "s")
    )
    shown = word if text is True else text
    return format_html(
        '<span class="row tight">{}<span{}>{}</span></span>',
        mark,
        "" if text else mark_safe(' class="vh"'),
        shown or word,
    )


@register.simple_tag
def state_badge(state: str) -> SafeString:
    """The same state as a badge, for the head of a page."""
    name, tone, word = _state(state)
    return format_html(
        '<span class="badge{}">{}{}</span>',
        f" {BADGE_TONES[tone]}" if BADGE_TONES[tone] else "",
        icon(name, "spin" if name == SPINNING else ""),
        word,
    )


@register.simple_tag
def tag(key: str, value: str = "") -> SafeString:
    """A tag: `domain <b>operations</b>`, or a plain word."""
    return format_html('<span class="tag">{}{}</span>', key, format_html("<b>{}</b>", value) if value else "")


@register.simple_tag
def alias(name: str) -> SafeString:
    """An alias of a model version; the stylesheet writes the @."""
    return format_html('<span class="alias">{}</span>', name)


@register.simple_tag
def kbd(*keys: str) -> SafeString:
    """Keys of the keyboard."""
    return format_html_join(" ", '<kbd class="kbd">{}</kbd>', ((key,) for key in keys))


def person(who: Any) -> dict[str, str]:
    """What to show of an account, a group or a plain label: kind, short (for lists), full (for titles), initials, ink."""
    kind = str(getattr(who, "kind", "") or "")
    email = getattr(who, "email", None) or ""
    label = email or str(getattr(who, "label", "") or getattr(who, "name", "") or who or "")
    if type(who).__name__ == "Group":
        kind = "group"
    name = getattr(who, "name", "") or ""
    short = label.partition("@")[0] if "@" in label else label
    words = (name or short).replace(".", " ").replace("-", " ").replace("_", " ").split()
    initials = (words[0][0] + words[1][0] if len(words) > 1 else (words or ["?"])[0][:2]).upper()
    ink = INKS[sum(label.encode()) % len(INKS)]
    return {"kind": kind, "short": short, "full": name or label, "initials": initials, "ink": ink, "label": label}


@register.filter
def short_name(who: Any) -> str:
    """How somebody is called in a sentence: the part of an address before the @, or the name."""
    return person(who)["short"]


@register.simple_tag
def avatar(who: Any, size: str = "", kind: str = "") -> SafeString:
    """The round mark of a person, the square one of a service principal or group; sizes none, l, xl. Takes the row or its label."""
    shown = person(who)
    kind = kind or shown["kind"]
    extra = f" {size}" if size else ""
    if kind in ("service", "group"):
        word, ink, name = ("service principal", "repo", "bot") if kind == "service" else ("group", "job", "users")
        return format_html(
            '<span class="ava sq{}" title="{} ({})" style="--h:var(--kind-{})">{}</span>',
            extra,
            shown["full"],
            word,
            ink,
            icon(name),
        )
    return format_html(
        '<span class="ava{}" title="{}" style="--h:var(--kind-{})" role="img" aria-label="{}">{}</span>',
        extra, shown["full"], shown["ink"], shown["full"], shown["initials"],
    )  # fmt: skip


@register.simple_tag
def who(account: Any, kind: str = "") -> SafeString:
    """Mark and short name of somebody, for cells and facts."""
    if not account:
        return mark_safe('<span class="subtle">nobody</span>')
    shown = person(account)
    return format_html(
        '<span class="row tight">{}<span title="{}">{}</span></span>',
        avatar(account, kind=kind),
        shown["label"],
        shown["short"],
    )


@register.simple_tag
def chip(kind: str, label: str, href: str = "", mono: bool = False, strong: bool = False) -> SafeString:
    """A mention of a thing: tile and name in one link; without an address only the mention."""
    text = format_html('<span class="clip{}{}">{}</span>', " mono" if mono else "", " med" if strong else "", label)
    if not href:
        return format_html('<span class="row tight">{}{}</span>', tile(kind), text)
    return format_html('<a class="row tight plain" href="{}">{}{}</a>', href, tile(kind), text)


def attributes(pairs: dict[str, Any]) -> SafeString:
    """HTML attributes from keyword arguments: `hx_post=url` is `hx-post`, True is the bare name, None and False are left out."""
    kept = [
        (name.replace("_", "-").strip("-"), value)
        for name, value in pairs.items()
        if value is not None and value is not False
    ]
    return format_html_join(
        "",
        "{}",
        (
            (format_html(" {}", name) if value is True else format_html(' {}="{}"', name, value),)
            for name, value in kept
        ),
    )


@register.simple_tag
def btn(
    label: str,
    icon_name: str = "",
    cls: str = "",
    href: str = "",
    caret: bool = False,
    type: str = "button",
    **extra: Any,
) -> SafeString:
    """`{% btn "New job" "plus" "primary" href=url %}`: cls primary, danger, danger solid, ghost, sm; other arguments become attributes."""
    inner = format_html(
        "{}{}{}",
        icon(icon_name) if icon_name else "",
        format_html("<span>{}</span>", label) if icon_name else label,
        icon("chevron-down", "s") if caret else "",
    )
    classes = f"btn {cls}".strip()
    if href:
        return format_html('<a class="{}" href="{}"{}>{}</a>', classes, href, attributes(extra), inner)
    return format_html('<button type="{}" class="{}"{}>{}</button>', type, classes, attributes(extra), inner)


@register.simple_tag
def ibtn(
    icon_name: str, label: str, cls: str = "ghost", href: str = "", type: str = "button", **extra: Any
) -> SafeString:
    """A button of an icon alone: `label` is read out and shown on hover."""
    extra = {"aria_label": label, "title": label, **extra}
    classes = f"btn sq {cls}".strip()
    if href:
        return format_html('<a class="{}" href="{}"{}>{}</a>', classes, href, attributes(extra), icon(icon_name))
    return format_html('<button type="{}" class="{}"{}>{}</button>', type, classes, attributes(extra), icon(icon_name))


def relative(moment: datetime.datetime, at: datetime.datetime) -> str:
    """A moment in words: "now", "12 min ago", "in 3 h" up to a day; then the day, with the year when it is another one."""
    seconds = (at - moment).total_seconds()
    size = abs(seconds)
    if size < 45:
        return "now"
    if size < 86400:
        text = f"{max(1, round(size / 60))} min" if size < 3600 else f"{round(size / 3600)} h"
        return f"{text} ago" if seconds > 0 else f"in {text}"
    return f"{moment.day} {moment:%b}" + ("" if moment.year == at.year else f" {moment.year}")


@register.simple_tag
def ago(moment: datetime.datetime | None, empty: str = "never") -> SafeString:
    """A moment as people say it, with the exact instant on hover."""
    if moment is None:
        return format_html('<span class="subtle">{}</span>', empty)
    utc = moment.astimezone(datetime.UTC)
    return format_html(
        '<time datetime="{}" title="{}">{}</time>',
        utc.isoformat(),
        f"{utc:%Y-%m-%d %H:%M:%S} UTC",
        relative(utc, now()),
    )


@register.simple_tag
def instant(moment: datetime.datetime | None, empty: str = "") -> SafeString:
    """The exact moment, for logs and audit."""
    if moment is None:
        return format_html('<span class="subtle">{}</span>', empty)
    utc = moment.astimezone(datetime.UTC)
    return format_html(
        '<time datetime="{}" title="{}">{}</time>',
        utc.isoformat(),
        f"{utc:%Y-%m-%d %H:%M:%S.%f} UTC",
        f"{utc.day} {utc:%b %H:%M:%S}",
    )


@register.simple_tag
def millis(moment: int | None, empty: str = "never") -> SafeString:
    """A moment given in milliseconds, as `ago` writes it."""
    try:
        return ago(None if moment is None else datetime.datetime.fromtimestamp(moment / 1000, datetime.UTC), empty)
    except (OverflowError, ValueError, OSError):
        return format_html('<span class="subtle">{}</span>', empty)
