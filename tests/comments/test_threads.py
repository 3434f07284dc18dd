"""Threads through operations, API and pages: words, mentions, levels, and what stays hidden."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.test import Client

from apps.access import operations as access
from apps.access.levels import Level
from apps.access.models import AuditEntry
from apps.access.resources import root_resource
from apps.comments import markup, operations, queries
from apps.comments.anchors import parse_anchor
from apps.comments.models import Comment, Thread
from apps.foundation.errors import Conflict, Forbidden, Invalid, NotFound
from tests.builders import World, a_folder, a_person, an_api

HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "[x](javascript:alert(1))",
    "[x](JaVaScRiPt:alert(1))",
    "[x](java\nscript:alert(1))",
    "[x](data:text/html;base64,PHNjcmlwdD4=)",
    "[x](vbscript:x)",
    "[x](file:///etc/passwd)",
    "[x](foo:bar)",
    "[x](//evil.example)",
    "[x](/\\evil.example)",
    "![x](http://evil.example/pixel.png)",
    "<javascript:alert(1)>",
    '[x](http://a.example "onmouseover=alert(1)")',
    "```<svg/onload=alert(1)>\n<svg onload=alert(1)>\n```",
    "`<b>`",
    "&lt;script&gt;",
    "@ada<script>alert(1)</script>",
    '@ada" onclick="alert(1)',
    "| a |\n|--|\n| <iframe src=x> |",
]
TAG = re.compile(r"<[a-z]+[^<>]*\s(on\w+|src|style)\s*=", re.IGNORECASE)


@pytest.mark.parametrize("text", HOSTILE)
def test_what_is_written_stays_words(text: str) -> None:
    html = markup.comment_html(text, (("ada", '"><script>alert(1)</script>'),))
    assert not any(tag in html for tag in ("<script", "<img", "<iframe", "<svg/", "<svg o", "<b>"))
    assert not TAG.search(html), html
    for address in re.findall(r'<a href="([^"]*)"', html):
        assert address.startswith(("http://a.example", "/%5C")), html


def test_markdown_is_shown() -> None:
    html = markup.comment_html("# Head\n**bold** `x < 1`\nnext [site](https://a.example)\n\n- one")
    assert "<h" not in html.replace("<hr", "")
    for piece in (
        "<strong>bold</strong>",
        "<code>x &lt; 1</code>",
        "<br",
        'rel="nofollow noopener noreferrer"',
        "<li>one</li>",
    ):
        assert piece in html, html


def test_handles_are_found_outside_code_and_links() -> None:
    text = "@ada, @Kofi.Mensah. mail me at joe@example.com `@code` [@link](https://a.example) @ada @all@example.com"
    assert markup.find_handles(text) == ["ada", "kofi.mensah", "all@example.com"]
    with pytest.raises(Invalid):
        markup.find_handles(" ".join(f"@p{n}" for n in range(30)))


@pytest.mark.parametrize("text", ["", "  \n", "x" * 10_001, "[" * 500, "a\x07b"])
def test_what_cannot_be_said(world: World, text: str) -> None:
    with pytest.raises(Invalid):
        operations.start_thread(actor=world.admin, resource=a_folder(world.admin), text=text)


def test_places() -> None:
    assert parse_anchor("version:3").label == "v3"
    assert parse_anchor("line:src/a:b.py:12").label == "src/a:b.py, line 12"
    assert parse_anchor("diff:8c41f0e:train.py:+12").label == "train.py at 8c41f0e, line 12"
    assert parse_anchor("cell:17:4:arr_delay").label == "arr_delay in row 4 of v17"
    for path in ("version:x", "nothing:1", "version", "line:a.py", "point:" + "x" * 600, "line:a\nb:1"):
        with pytest.raises(Invalid):
            parse_anchor(path)


def test_a_thread_lives(world: World) -> None:
    folder = a_folder(world.admin)
    mia = a_person(world, "mia@example.com", level=Level.COMMENT, on=folder)
    first = operations.start_thread(
        actor=world.admin, resource=folder, text="2400?", path="version:2", quote="dep_time"
    )
    answer = operations.reply(actor=mia, thread=first.thread, text="Midnight of the next day")
    assert queries.count_open(mia, folder) == queries.count_open(mia, folder, "version:2") == 1
    assert queries.count_open(mia, folder, "") == 0

    with pytest.raises(Forbidden):
        operations.edit_comment(actor=world.admin, comment=answer, text="not my words")
    operations.edit_comment(actor=mia, comment=answer, text="Midnight")
    assert [row.text for row in answer.earlier.all()] == ["Midnight of the next day"]

    operations.resolve(actor=mia, thread=first.thread, reason="known")
    with pytest.raises(Conflict):
        operations.resolve(actor=world.admin, thread=first.thread)
    assert queries.count_open(mia, folder) == 0
    operations.reopen(actor=world.admin, thread=first.thread, reason="not quite")
    assert [c.text for c in first.thread.comments.order_by("created_at", "id")] == ["2400?", "Midnight", "not quite"]

    operations.react(actor=mia, comment=first, name="eyes")
    operations.react(actor=mia, comment=first, name="eyes")
    operations.react(actor=world.admin, comment=first, name="eyes")
    with pytest.raises(Invalid):
        operations.react(actor=mia, comment=first, name="<b>")
    [talk] = queries.show(mia, [Thread.objects.get()], manages=False)
    assert [(s.name, s.count, s.mine) for s in talk.said[0].signs] == [("eyes", 2, True)]

    with pytest.raises(Forbidden):
        operations.delete_comment(actor=mia, comment=first)
    operations.delete_comment(actor=world.admin, comment=answer)
    gone = Comment.objects.get(pk=answer.pk)
    assert (gone.text, gone.earlier.count(), gone.deleted_by_label) == ("", 0, "ada@example.com")
    for act in (operations.react, operations.edit_comment):
        with pytest.raises(Conflict):
            act(actor=mia, comment=gone, **({"name": "eyes"} if act is operations.react else {"text": "again"}))


def test_the_audit_knows_that_and_not_what(world: World) -> None:
    operations.start_thread(
        actor=world.admin, resource=a_folder(world.admin), text="a secret word", quote="a secret cell"
    )
    kept = AuditEntry.objects.filter(verb__startswith="comments.").values()
    assert len(kept) == 1 and "secret" not in str(list(kept))


def test_who_is_mentioned(world: World) -> None:
    folder = a_folder(world.admin)
    a_person(world, "mia@example.com", level=Level.VIEW, on=folder)
    for email in ("ben@example.com", "jo@one.example.com", "jo@two.example.com"):
        a_person(world, email)
    group = access.create_group(actor=world.admin, root=root_resource(), name="Approvers")
    kofi = a_person(world, "kofi@example.com", level=Level.VIEW, on=folder)
    access.add_to_group(actor=world.admin, root=root_resource(), group=group, membership=kofi.user.memberships.get())
    text = "@mia @BEN @jo @jo@two.example.com @approvers @stranger @out@example.com"
    comment = operations.start_thread(actor=world.admin, resource=folder, text=text)
    found = {row.handle: row.reached for row in comment.mentions.all()}
    assert found == {"mia": True, "ben": False, "jo@two.example.com": False, "approvers": True}
    [said] = queries.show(world.admin, [comment.thread], manages=True)[0].said
    assert sorted(said.unreached) == ["ben@example.com", "jo@two.example.com"]
    assert said.html.count('class="at"') == 4
    [theirs] = queries.show(kofi, [comment.thread], manages=False)[0].said
    assert theirs.unreached == [], "whom others can see is told to the author alone"


def test_words_are_for_those_who_may_view(world: World) -> None:
    folder = a_folder(world.admin)
    mia = a_person(world, "mia@example.com", level=Level.VIEW, on=folder)
    comment = operations.start_thread(actor=world.admin, resource=folder, text="between **us**")
    assert queries.read_excerpts(mia, [str(comment.pk), "nonsense"]) == {str(comment.pk): "between us"}
    access.unshare(actor=world.admin, resource=folder, grantee=mia.user)
    assert queries.read_excerpts(mia, [str(comment.pk)]) == {}
    api = an_api(mia)
    assert api.get(f"/api/v1/comments/{comment.pk}").status_code == 404
    assert api.get("/api/v1/threads").json()["items"] == []
    with pytest.raises(NotFound):
        operations.reply(actor=mia, thread=comment.thread, text="and me?")


def test_a_token_for_reading_writes_nothing(world: World) -> None:
    folder = a_folder(world.admin)
    comment = operations.start_thread(actor=world.admin, resource=folder, text="mine")
    api = an_api(world.admin, scopes=["comments:read"])
    assert api.get(f"/api/v1/comments/{comment.pk}").status_code == 200
    assert api.post(f"/api/v1/threads/{comment.thread_id}/reply", {"text": "x"}).status_code == 403
    assert api("DELETE", f"/api/v1/comments/{comment.pk}").status_code == 403
    assert an_api(world.admin, scopes=["tables"]).get("/api/v1/threads").status_code == 403


# Pages


@pytest.fixture
def browser(world: World) -> Client:
    client = Client(raise_request_exception=False)
    client.force_login(world.admin.user)  # type: ignore[arg-type]
    return client


def test_the_rail_shows_and_takes_words(world: World, browser: Client) -> None:
    folder = a_folder(world.admin)
    here = f"/w/ours/comments/{folder.pk}"
    assert browser.post(here, {"text": "First *words*"}, headers={"HX-Request": "true"}).status_code == 204
    page = browser.get(f"/w/ours/folders/{folder.pk}").content.decode()
    assert "First <em>words</em>" in page and f'topic="comments:{folder.pk}"' in page
    refused = browser.post(here, {"text": ""}, headers={"HX-Request": "true"})
    assert refused.status_code == 422 and b"Write something first" in refused.content
    comment = Comment.objects.get()
    link = browser.get(f"/w/ours/comments/one/{comment.pk}")
    assert link.headers["Location"] == f"/w/ours/folders/{folder.pk}?comment={comment.pk}#comment-{comment.pk}"
    assert browser.post(f"/w/ours/comments/one/{comment.pk}/react", {"name": "tada"}).status_code == 204
    assert 'data-react="tada" aria-pressed="true"' in browser.get(f"{here}/threads?view=rail").content.decode()
    assert browser.post(f"/w/ours/comments/one/{comment.pk}/react", {"name": "tada"}).status_code == 204
    assert 'data-react="tada" aria-pressed' not in browser.get(f"{here}/threads?view=rail").content.decode()
    for piece in ("edit", "delete", "history"):
        assert browser.get(f"/w/ours/comments/one/{comment.pk}/{piece}").status_code == 200
    preview: Any = browser.post(f"{here}/preview", {"text": "see @ada and <b>"})
    assert 'class="at"' in preview.content.decode() and "<b>" not in preview.content.decode()
    assert "ada@example.com" in browser.get(f"{here}/people?q=ad").content.decode()
    assert browser.get(here).status_code == 200


def test_pages_need_csrf(world: World) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(world.admin.user)  # type: ignore[arg-type]
    folder = a_folder(world.admin)
    assert client.post(f"/w/ours/comments/{folder.pk}", {"text": "x"}).status_code == 403
    assert not Thread.objects.exists()


def test_long_threads_cost_no_more_statements(
    world: World, browser: Client, django_assert_max_num_queries: Any
) -> None:
    folder = a_folder(world.admin)
    comment = operations.start_thread(actor=world.admin, resource=folder, text="One")
    for number in range(30):
        operations.reply(actor=world.admin, thread=comment.thread, text=f"@ada {number}")
    with django_assert_max_num_queries(20):
        page = browser.get(f"/w/ours/comments/{folder.pk}/threads?view=rail").content.decode()
    assert page.count("<article") == 5 and "26 more comments" in page
