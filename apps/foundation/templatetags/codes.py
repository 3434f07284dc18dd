"""Code, snippets, files and diffs, highlighted on the server with the editor's tok-* classes."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from django import template
from django.utils.html import escape, format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe
from markdown_it import MarkdownIt
from markdown_it.utils import OptionsDict
from pygments import lex
from pygments.lexer import Lexer
from pygments.lexers import get_lexer_by_name, get_lexer_for_filename
from pygments.lexers.special import TextLexer
from pygments.token import Token, _TokenType
from pygments.util import ClassNotFound

from apps.foundation.templatetags.marks import icon

register = template.Library()
LANGUAGES = {
    "CLI": "bash",
    "curl": "bash",
    "Python": "python",
    "SQL": "sql",
    "R": "r",
    "Scala": "scala",
    "YAML": "yaml",
    "JSON": "json",
    "R ": "r",
}
HIGHLIGHT_LIMIT = 300_000  # characters; a larger text is shown plain, so that one file cannot hold a worker
CLASSES = (
    (Token.Comment, "comment"), (Token.Literal.String, "string"), (Token.String, "string"), (Token.Literal.Number, "number"),
    (Token.Keyword.Constant, "number"), (Token.Keyword, "keyword"), (Token.Name.Function, "function"), (Token.Name.Class, "typeName"),
    (Token.Name.Decorator, "meta"), (Token.Name.Tag, "propertyName"), (Token.Name.Attribute, "propertyName"), (Token.Name.Builtin, "function"),
    (Token.Name.Variable, "typeName"), (Token.Operator.Word, "keyword"), (Token.Operator, "operator"), (Token.Punctuation, "operator"),
    (Token.Generic.Heading, "heading"),
)  # fmt: skip


def _class_of(kind: _TokenType) -> str:
    return next((name for token, name in CLASSES if kind in token), "")


def lexer_for(language: str = "", filename: str = "") -> Lexer:
    """The highlighter of a language or a file name; plain text when there is none."""
    try:
        return (
            get_lexer_by_name(language, ensurenl=False)
            if language
            else get_lexer_for_filename(filename, ensurenl=False)
        )
    except ClassNotFound:
        return TextLexer(ensurenl=False)


def highlight(text: str, lexer: Lexer) -> SafeString:
    """The text with `tok-*` spans; a span never crosses a line, so the result can be split at line ends."""
    if len(text) > HIGHLIGHT_LIMIT:
        return mark_safe(escape(text))
    out = []
    for kind, piece in lex(text, lexer):
        name = _class_of(kind)
        parts = [
            f'<span class="tok-{name}">{escape(part)}</span>' if name and part.strip() else escape(part)
            for part in piece.split("\n")
        ]
        out.append("\n".join(parts))
    return mark_safe("".join(out))


def _lines(text: str, lexer: Lexer) -> list[SafeString]:
    return [mark_safe(line) for line in highlight(text, lexer).split("\n")]


@register.simple_tag
def code(language: str, source: str, copy: bool = True) -> SafeString:
    """A block of code with a Copy button."""
    button = format_html(
        '<button type="button" class="btn sm sq ghost copy" aria-label="Copy code" title="Copy" data-copy="">{}</button>',
        icon("copy", "s"),
    )
    return format_html(
        '<div class="code">{}<pre tabindex="0"><code>{}</code></pre></div>',
        button if copy else "",
        highlight(source.strip("\n"), lexer_for(language)),
    )


@register.simple_tag
def snippet(languages: Mapping[str, str] | None = None, **more: str) -> SafeString:
    """The same thing in several languages: `{% snippet Python=a CLI=b %}` or a mapping; tabs and one Copy button."""
    shown = {**(languages or {}), **more}
    tabs = format_html_join(
        "",
        '<button type="button" class="lang" role="tab" aria-selected="{}" tabindex="{}">{}</button>',
        (("true" if i == 0 else "false", 0 if i == 0 else -1, name) for i, name in enumerate(shown)),
    )
    panels = format_html_join(
        "",
        '<pre tabindex="0" role="tabpanel" aria-label="{}"{}><code>{}</code></pre>',
        (
            (
                name,
                mark_safe(" hidden") if i else "",
                highlight(source.strip("\n"), lexer_for(LANGUAGES.get(name, name.lower()))),
            )
            for i, (name, source) in enumerate(shown.items())
        ),
    )
    return format_html(
        '<div class="code"><div class="code-h"><span class="row tight" role="tablist" aria-label="Language">{}</span>'
        '<button type="button" class="btn sm ghost" data-copy="">{}Copy</button></div>{}</div>',
        tabs, icon("copy", "s"), panels,
    )  # fmt: skip


@register.simple_tag
def source(filename: str, text: str, label: str = "") -> SafeString:
    """A file with line numbers; every line has an address (#L12)."""
    lines = _lines(text.removesuffix("\n"), lexer_for(filename=filename))
    gutter = format_html_join("", '<div class="cm-gutterElement">{}</div>', ((n,) for n in range(1, len(lines) + 1)))
    body = format_html_join(
        "",
        '<div class="cm-line" id="L{}">{}</div>',
        ((n, line or mark_safe("<br>")) for n, line in enumerate(lines, 1)),
    )
    return format_html(
        '<div class="cm-editor"><div class="cm-scroller" tabindex="0" role="region" aria-label="{}"><div class="cm-gutters" aria-hidden="true">{}</div>'
        '<div class="cm-content">{}</div></div></div>',
        label or filename, gutter, body,
    )  # fmt: skip


@dataclass
class FileDiff:
    """One file of a unified diff, as rows of a two-sided table: (old number, old text, new number, new text) or a hunk's heading."""

    path: str
    old_path: str = ""
    rows: list[dict[str, Any]] = field(default_factory=list)
    added: int = 0
    removed: int = 0
    binary: bool = False


_HUNK = re.compile(r"@@ -(\d+)(?:,\d+)? \+(\d+)(?:,\d+)? @@ ?(.*)")


def parse_diff(patch: str) -> list[FileDiff]:
    """A unified diff (of git) as files with rows, lines that replace each other side by side."""
    files: list[FileDiff] = []
    old_n = new_n = 0
    removed: list[str] = []
    added: list[str] = []

    def flush() -> None:
        nonlocal old_n, new_n
        for i in range(max(len(removed), len(added))):
            row: dict[str, Any] = {}
            if i < len(removed):
                row |= {"old_n": old_n, "old": removed[i]}
                old_n += 1
            if i < len(added):
                row |= {"new_n": new_n, "new": added[i]}
                new_n += 1
            files[-1].rows.append(row)
        removed.clear()
        added.clear()

    for line in patch.split("\n"):
        if line.startswith("diff --git "):
            if files:
                flush()
            files.append(FileDiff(path=line.rpartition(" b/")[2]))
        elif not files:
            continue
        elif match := _HUNK.match(line):
            flush()
            old_n, new_n = int(match[1]), int(match[2])
            files[-1].rows.append({"hunk": match[3] or f"line {new_n}"})
        elif line.startswith(("--- ", "+++ ")) and not files[-1].rows:
            if line.startswith("--- a/"):
                files[-1].old_path = line[6:]
        elif line.startswith("Binary files"):
            files[-1].binary = True
        elif line.startswith("-"):
            if added:
                flush()
            removed.append(line[1:])
            files[-1].removed += 1
        elif line.startswith("+"):
            added.append(line[1:])
            files[-1].added += 1
        elif line.startswith(" ") or (line == "" and files[-1].rows):
            flush()
            if line:
                files[-1].rows.append({"old_n": old_n, "old": line[1:], "new_n": new_n, "new": line[1:], "same": True})
                old_n, new_n = old_n + 1, new_n + 1
    if files:
        flush()
    return files


def _words(old: str, new: str) -> tuple[SafeString, SafeString]:
    """Both lines with the words that differ marked; plain when almost all of it differs."""
    a, b = re.findall(r"\w+|\W", old), re.findall(r"\w+|\W", new)
    matcher = difflib.SequenceMatcher(None, a, b, autojunk=False)
    if len(a) + len(b) > 600 or matcher.ratio() < 0.4:
        return mark_safe(escape(old)), mark_safe(escape(new))
    left, right = [], []
    for kind, i1, i2, j1, j2 in matcher.get_opcodes():
        was, now = escape("".join(a[i1:i2])), escape("".join(b[j1:j2]))
        left.append(was if kind == "equal" or not was else f'<span class="delw">{was}</span>')
        right.append(now if kind == "equal" or not now else f'<span class="addw">{now}</span>')
    return mark_safe("".join(left)), mark_safe("".join(right))


def _diff_rows(rows: Iterable[dict[str, Any]], lexer: Lexer) -> Iterable[SafeString]:
    for row in rows:
        if "hunk" in row:
            yield format_html('<tr class="hunk"><td colspan="4">{}</td></tr>', row["hunk"])
            continue
        if row.get("same"):
            text = highlight(row["old"], lexer)
            yield format_html(
                '<tr><td class="ln">{}</td><td class="cd"><code>{}</code></td><td class="ln">{}</td><td class="cd"><code>{}</code></td></tr>',
                row["old_n"],
                text,
                row["new_n"],
                text,
            )
            continue
        old, new = row.get("old"), row.get("new")
        left, right = (
            _words(old, new)
            if old is not None and new is not None
            else (highlight(old or "", lexer), highlight(new or "", lexer))
        )
        yield format_html(
            '<tr><td class="ln{}">{}</td><td class="cd{}"><code>{}</code></td><td class="ln{}">{}</td><td class="cd{}"><code>{}</code></td></tr>',
            " del" if old is not None else " void", row.get("old_n", ""), " del" if old is not None else " void", left,
            " add" if new is not None else " void", row.get("new_n", ""), " add" if new is not None else " void", right,
        )  # fmt: skip


@register.filter
def diff_files(patch: str) -> list[FileDiff]:
    """The files of a unified diff, for `{% for file in patch|diff_files %}`."""
    return parse_diff(patch or "")


@register.simple_tag
def diff(file: FileDiff) -> SafeString:
    """One file of a diff, both sides, words marked."""
    if file.binary:
        return mark_safe('<p class="muted pad-s">Not text: no lines to show.</p>')
    rows = format_html_join("", "{}", ((row,) for row in _diff_rows(file.rows, lexer_for(filename=file.path))))
    return format_html(
        '<div class="scroll-x" tabindex="0" role="region" aria-label="Changes in {}"><table class="diff"><colgroup><col class="ln"><col><col class="ln"><col></colgroup><tbody>{}</tbody></table></div>',
        file.path, rows,
    )  # fmt: skip


def _fence(self: Any, tokens: Any, index: int, options: Any, env: Any) -> str:
    language = tokens[index].info.strip().split(" ")[0]
    return code(language or "text", tokens[index].content)


def _image(self: Any, tokens: Any, index: int, options: Any, env: Any) -> str:
    # Pictures from elsewhere would tell others who reads here; their words stay.
    return escape(tokens[index].content)


# http and https, mail, or a place on this site: no other scheme, and no host without one.
_LINK = re.compile(r"(?:https?://|mailto:|#|\?|/(?![/\\])|[\w.%-]+(?:[/?#]|$))", re.IGNORECASE)
_markdown = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])
_markdown.validateLink = lambda address: _LINK.match(address.strip()) is not None  # type: ignore[method-assign, assignment]
_markdown.add_render_rule("fence", _fence)
_markdown.add_render_rule("image", _image)


@register.filter
def markdown(text: str) -> SafeString:
    """What a member wrote in Markdown, as safe HTML: no raw HTML, no pictures, no addresses but http, https and mailto."""
    return markdown_html(text)


def markdown_html(text: str, change: Callable[[list[Any]], None] | None = None, **options: Any) -> SafeString:
    """The same, after `change` had a hand in the tokens; `breaks=True` keeps line ends."""
    tokens = _markdown.parse((text or "")[:HIGHLIGHT_LIMIT])
    for token in tokens:
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(6, int(token.tag[1]) + 1)}"  # a page has one h1, its own
    if change:
        change(tokens)
    wanted: Any = {**_markdown.options, **options}
    return mark_safe(_markdown.renderer.render(tokens, OptionsDict(wanted), {}))
