"""Comments as safe HTML, and the `@handles` in them: pure, no database."""

from __future__ import annotations

import functools
import re

from django.utils.safestring import SafeString
from markdown_it.token import Token

from apps.foundation.errors import Invalid
from apps.foundation.templatetags.codes import markdown_html

TEXT_MAX = 10_000
HANDLES_MAX = 20
# Each open bracket costs the parser a look ahead; nobody writes so many.
BRACKETS_MAX = 400
_HANDLE = re.compile(r"(?<![\w@./-])@([A-Za-z0-9][\w.+-]*(?:@[A-Za-z0-9][\w.-]*)?)")


def clean_text(text: str) -> str:
    """The text as it is kept. Raises Invalid when there is none, or too much."""
    text = text.replace("\r\n", "\n").strip()
    problem = ""
    if not text:
        problem = "Write something first."
    elif len(text) > TEXT_MAX:
        problem = f"At most {TEXT_MAX:,} characters; this has {len(text):,}."
    elif text.count("[") > BRACKETS_MAX:
        problem = f"At most {BRACKETS_MAX} opening brackets."
    elif any(ord(char) < 32 and char not in "\n\t" for char in text):
        problem = "It contains a character that cannot be shown."
    if problem:
        raise Invalid(fields={"text": problem})
    return text


def find_handles(text: str) -> list[str]:
    """The `@handles` outside code and links, in small letters, each once. Raises Invalid for more than one comment may name."""
    found: dict[str, None] = {}

    def collect(tokens: list[Token]) -> None:
        for inline in tokens:
            for child in _words(inline):
                found.update(dict.fromkeys(_trim(match[1]).lower() for match in _HANDLE.finditer(child.content)))

    markdown_html(text, collect)
    if len(found) > HANDLES_MAX:
        raise Invalid(fields={"text": f"A comment can mention at most {HANDLES_MAX}; a group reaches more at once."})
    return list(found)


@functools.lru_cache(maxsize=512)
def comment_html(text: str, names: tuple[tuple[str, str], ...] = ()) -> SafeString:
    """The text as safe HTML; `names` are (handle, full name) of those whom it mentions, who stand out."""
    known = dict(names)

    def mark(tokens: list[Token]) -> None:
        for token in tokens:
            if token.type in ("heading_open", "heading_close"):
                token.tag = "p"  # a comment is no chapter of the page
            if token.children:
                token.children = _marked(token, known)

    return markdown_html(text, mark, breaks=True)


def _marked(inline: Token, known: dict[str, str]) -> list[Token]:
    """The line's pieces, links without a trace of where they were clicked, known handles in a span of their own."""
    plain = {id(child) for child in _words(inline)}
    pieces: list[Token] = []
    for child in inline.children or []:
        if child.type == "link_open":
            child.attrSet("rel", "nofollow noopener noreferrer")
        if id(child) not in plain:
            pieces.append(child)
            continue
        end = 0
        for match in _HANDLE.finditer(child.content):
            handle = _trim(match[1])
            if handle.lower() not in known:
                continue
            span = Token("mention_open", "span", 1, attrs={"class": "at", "title": known[handle.lower()]})
            before = _text(child.content[end : match.start()])
            pieces += [before, span, _text("@" + handle), Token("mention_close", "span", -1)]
            end = match.start() + 1 + len(handle)
        pieces.append(_text(child.content[end:]))
    return pieces


def _words(inline: Token) -> list[Token]:
    """The pieces of plain text in a line that are in no link."""
    depth, found = 0, []
    for child in inline.children or []:
        depth += {"link_open": 1, "link_close": -1}.get(child.type, 0)
        if child.type == "text" and not depth:
            found.append(child)
    return found


def _text(content: str) -> Token:
    return Token("text", "", 0, content=content)


def _trim(handle: str) -> str:
    return handle.rstrip(".-+")


def plain_words(text: str, most: int = 160) -> str:
    """The beginning of a comment in one line, for lists."""
    words: list[str] = []

    def collect(tokens: list[Token]) -> None:
        for token in tokens:
            pieces = token.children or [token]
            words.append("".join(" " if piece.type == "softbreak" else piece.content for piece in pieces))

    markdown_html(text, collect)
    line = " ".join(" ".join(words).split())
    return line if len(line) <= most else line[: most - 1].rstrip() + "…"
