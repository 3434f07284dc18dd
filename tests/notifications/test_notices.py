"""Who is told of what: rules, levels, watches, preferences, mail, the sweep; and activity in words."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.core import mail
from django.db import connection
from django.test import Client

from apps.access import audit
from apps.access import operations as access
from apps.access.actor import Actor
from apps.access.levels import Level
from apps.access.models import AuditEntry, Resource
from apps.access.queries import own_membership
from apps.access.resources import root_resource
from apps.comments import operations as comments
from apps.foundation.clock import now
from apps.foundation.errors import Invalid, NotFound
from apps.notifications import activity, inbox, operations, tasks, telling, words
from apps.notifications.models import Notice, Outbox, Watch
from apps.notifications.rules import RULES
from tests.builders import World, a_folder, a_person, an_api


def tell_all() -> None:
    """Tell what waits in the outbox, as the task does after commit."""
    for row in list(Outbox.objects.order_by("entry_id")):
        telling.tell_entry(row.entry_id)


def told(actor: Actor) -> list[tuple[str, str]]:
    return [(row.kind, str(row)) for row in inbox.list_notices(actor).order_by("created_at", "id")]


def test_a_thread_tells_whom_it_concerns_once(world: World) -> None:
    folder = a_folder(world.admin)
    mia, kofi, ben, lea = (
        a_person(world, f"{name}@example.com", level=Level.COMMENT, on=folder) for name in ("mia", "kofi", "ben", "lea")
    )
    operations.watch(actor=lea, resource=folder)
    first = comments.start_thread(actor=mia, resource=folder, text="@kofi look")
    tell_all()
    assert told(kofi) == [("mention", "mentioned you in plans")]
    assert told(lea) == [("comment", "commented on plans")]
    assert told(world.admin) == [("comment", "commented on plans")], "the owner hears of it"
    assert told(mia) == told(ben) == []
    comments.reply(actor=kofi, thread=first.thread, text="seen, @lea")
    tell_all()
    assert told(mia) == [("reply", "replied in plans")]
    assert [kind for kind, _ in told(lea)] == ["comment", "mention"]
    assert Watch.objects.filter(user=kofi.user, muted=False).exists(), "who takes part hears of it"
    assert not Outbox.objects.exists()


def test_an_entry_is_told_once_however_often_it_is_asked(world: World) -> None:
    folder = a_folder(world.admin)
    mia = a_person(world, "mia@example.com", level=Level.COMMENT, on=folder)
    comments.start_thread(actor=mia, resource=folder, text="hello")
    [row] = Outbox.objects.all()
    assert telling.tell_entry(row.entry_id) == 1
    assert telling.tell_entry(row.entry_id) == 0
    row.save(force_insert=True)
    telling.tell_entry(row.entry_id)
    assert Notice.objects.count() == 1


def test_nobody_hears_of_what_they_may_not_view(world: World) -> None:
    folder = a_folder(world.admin)
    mia = a_person(world, "mia@example.com", level=Level.VIEW, on=folder)
    a_person(world, "ben@example.com")
    comments.start_thread(actor=world.admin, resource=folder, text="@mia @ben @everyone secret plans")
    # Between the words and the telling mia is shut out.
    access.unshare(actor=world.admin, resource=folder, grantee=mia.user)
    tell_all()
    assert not Notice.objects.exclude(user=world.admin.user).exists()


def test_a_notice_goes_with_the_level(world: World) -> None:
    folder = a_folder(world.admin)
    mia = a_person(world, "mia@example.com", level=Level.VIEW, on=folder)
    comment = comments.start_thread(actor=world.admin, resource=folder, text="@mia **the** words")
    tell_all()
    [shown] = inbox.show(mia, list(inbox.list_notices(mia)))
    assert shown.words == "@mia the words" and inbox.count_unread(mia) == 1
    comments.edit_comment(actor=world.admin, comment=comment, text="@mia other words")
    [shown] = inbox.show(mia, list(inbox.list_notices(mia)))
    assert shown.words == "@mia other words", "words are read when they are shown"
    notice = shown.notice
    access.unshare(actor=world.admin, resource=folder, grantee=mia.user)
    assert inbox.count_unread(mia) == 0 and not inbox.list_notices(mia).exists()
    with pytest.raises(NotFound):
        inbox.get_notice(mia, notice.pk)
    assert an_api(mia).get("/api/v1/notices").json()["items"] == []
    access.share(actor=world.admin, resource=folder, grantee=mia.user, level=Level.VIEW)
    comments.delete_comment(actor=world.admin, comment=comment)
    [shown] = inbox.show(mia, list(inbox.list_notices(mia)))
    assert shown.words == ""


def test_notices_are_ones_own(world: World) -> None:
    folder = a_folder(world.admin)
    mia = a_person(world, "mia@example.com", level=Level.VIEW, on=folder)
    comments.start_thread(actor=world.admin, resource=folder, text="@mia")
    tell_all()
    [notice] = Notice.objects.all()
    api = world.api
    absent = api.post("/api/v1/notices/00000000-0000-7000-8000-000000000000/read")
    foreign = api.post(f"/api/v1/notices/{notice.pk}/read")
    assert (foreign.status_code, foreign.content) == (absent.status_code, absent.content) == (404, absent.content)
    mine = an_api(mia)
    assert mine.post(f"/api/v1/notices/{notice.pk}/read").json()["read_at"]
    assert mine.get("/api/v1/notices/unread").json() == {"count": 0}
    mine.post(f"/api/v1/notices/{notice.pk}/mark-unread")
    assert mine.post("/api/v1/notices/read-all", {"kind": "reply"}).json() == {"count": 0}
    assert mine.post("/api/v1/notices/read-all").json() == {"count": 1}
    assert an_api(mia, scopes=["notifications:read"]).post("/api/v1/notices/read-all").status_code == 403


def test_watching_and_not(world: World) -> None:
    folder = a_folder(world.admin)
    mia = a_person(world, "mia@example.com", level=Level.COMMENT, on=folder)
    assert inbox.is_watching(world.admin, folder) and not inbox.is_watching(mia, folder)
    operations.unwatch(actor=world.admin, resource=folder)
    comments.start_thread(actor=mia, resource=folder, text="hello")
    tell_all()
    assert told(world.admin) == []
    comments.start_thread(actor=mia, resource=folder, text="hello @ada")
    tell_all()
    assert told(world.admin) == [("mention", "mentioned you in plans")], "who is meant hears all the same"
    access.unshare(actor=world.admin, resource=folder, grantee=mia.user)
    with pytest.raises(NotFound):
        operations.watch(actor=mia, resource=folder)
    operations.forget_watch(actor=mia, watch=inbox.get_watch(mia, folder.pk))
    assert not Watch.objects.filter(user=mia.user).exists()


def test_what_one_does_not_want(world: World) -> None:
    folder = a_folder(world.admin)
    mia = a_person(world, "mia@example.com", level=Level.COMMENT, on=folder)
    mine = own_membership(world.admin)
    with pytest.raises(Invalid):
        operations.set_preferences(actor=world.admin, membership=mine, off=["nonsense"], mail=[])
    operations.set_preferences(actor=world.admin, membership=mine, off=["comment"], mail=[])
    comments.start_thread(actor=mia, resource=folder, text="hello")
    tell_all()
    assert told(world.admin) == []


def test_mail_says_that_and_not_what(world: World) -> None:
    folder = a_folder(world.admin)
    mia = a_person(world, "mia@example.com", level=Level.VIEW, on=folder)
    comments.start_thread(actor=world.admin, resource=folder, text="@mia a secret word", quote="a secret cell")
    tell_all()
    [notice] = Notice.objects.all()
    tasks.send_mail.run(str(world.ours.workspace.pk), str(notice.pk))
    tasks.send_mail.run(str(world.ours.workspace.pk), str(notice.pk))
    [message] = mail.outbox
    assert message.to == ["mia@example.com"] and "ada mentioned you in plans" in message.subject
    assert f"/w/ours/{notice.url}" in message.body and "secret" not in message.body + message.subject
    Notice.objects.update(mailed_at=None)
    access.unshare(actor=world.admin, resource=folder, grantee=mia.user)
    tasks.send_mail.run(str(world.ours.workspace.pk), str(notice.pk))
    assert len(mail.outbox) == 1, "who may not view it any more gets none"


def test_a_name_is_no_header(world: World) -> None:
    folder = a_folder(world.admin, name="plans\nBcc: all@example.com")
    mia = a_person(world, "mia@example.com", level=Level.VIEW, on=folder)
    telling.notify([mia.user], kind="comment", thing=folder, text="see {thing}", label=folder.name, url="folders")
    tasks.send_mail.run(str(world.ours.workspace.pk), str(Notice.objects.get().pk))
    assert "\n" not in mail.outbox[0].subject and mail.outbox[0].bcc == []


def test_what_was_never_told_is_found(world: World, drain: Any) -> None:
    folder = a_folder(world.admin)
    mia = a_person(world, "mia@example.com", level=Level.COMMENT, on=folder)
    comments.start_thread(actor=mia, resource=folder, text="hello")
    assert tasks.sweep_outbox.run() == 0, "its message is still on the way"
    Outbox.objects.update(created_at=now() - timedelta(minutes=5))
    assert tasks.sweep_outbox.run() == 1
    drain()
    assert told(world.admin) == [("comment", "commented on plans")]
    Notice.objects.update(created_at="2020-01-01T00:00:00Z")
    assert tasks.forget_notices.run() == 1


def test_a_failed_operation_tells_nothing(world: World) -> None:
    folder = a_folder(world.admin)
    with pytest.raises(Invalid):
        comments.start_thread(actor=world.admin, resource=folder, text="")
    assert not Outbox.objects.exists()


def test_rules_read_what_rooms_record(world: World) -> None:
    folder = a_folder(world.admin)
    mia = a_person(world, "mia@example.com", level=Level.VIEW, on=folder)

    def record(verb: str, **more: Any) -> list[Any]:
        entry = audit.record(world.admin, verb, folder, **more)
        return [telling for telling in RULES[verb](entry, folder) if set(telling.people)]

    [asked] = record("access.request_access", after={"level": "edit"}, comment="for the report")
    assert asked.text == "asks for can edit on {thing}" and set(asked.people) == {world.admin.user_id}
    told_to = {"grantee": "mia@example.com", "level": "edit"}
    for verb, words_ in (("grant", "gave you can edit on {thing}"), ("decline", "declined your request for {thing}")):
        [answered] = record(f"access.{verb}_access_request", after=told_to, comment="because")
        assert (answered.text, answered.level, answered.detail) == (words_, None, "because")
        assert set(answered.people) == {mia.user_id}
    [failed] = record("jobs.run_ended", after={"state": "failed", "user": mia.user_id, "number": 3})
    assert failed.kind == "job_failed" and set(failed.people) == {mia.user_id}
    assert record("jobs.run_ended", after={"state": "succeeded", "user": mia.user_id}) == []
    [moved] = record("registry.move_to_stage", before={"stage": "None"}, after={"stage": "Production", "version": 7})
    assert (moved.label, moved.text) == ("plans v7", "moved {thing} to Production")
    assert record("registry.move_to_stage", before={"stage": "None"}, after={"stage": "None"}) == []


# Activity


def test_activity_is_of_what_one_may_view(world: World) -> None:
    folder, other = a_folder(world.admin), a_folder(world.admin, "hidden")
    mia = a_person(world, "mia@example.com", level=Level.VIEW, on=folder)
    comments.start_thread(actor=world.admin, resource=other, text="x", path="column:a")
    access.rename_resource(actor=world.admin, resource=folder, name="better plans")
    texts = [activity.plain(entry)["text"] for entry in activity.list_activity(mia).order_by("-id")]
    assert texts[0] == "ada@example.com renamed /better plans"
    assert not [text for text in texts if "hidden" in text or "shared" in text]
    with pytest.raises(NotFound):
        activity.list_activity(mia, resource=other)
    whole = [activity.plain(entry)["text"] for entry in activity.list_activity(world.admin).order_by("-id")]
    assert any("commented on" in text and "column a" in text for text in whole)
    assert not activity.list_activity(world.admin, person=mia.user_id).exists()
    assert {e.resource_kind for e in activity.list_activity(world.admin, kind="folder")} == {"folder"}
    api = an_api(mia)
    page = api.get("/api/v1/activity?page_size=1").json()
    assert len(page["items"]) == 1
    assert api.get(f"/api/v1/activity?resource_id={other.pk}").status_code == 404


def test_every_verb_reads_as_a_sentence(world: World) -> None:
    entry = AuditEntry(verb="rooms.set_odd_thing", thing_label="<b>x</b>", after={"name": "<i>"}, before={})
    shown = words.phrase(entry, words.named(entry))
    assert "set odd thing on" in shown and "<i>" not in shown and "&lt;b&gt;" in shown
    for verb in words._WORDS:
        text = words.phrase(AuditEntry(verb=verb, after={}, before={}), words.named(entry))
        assert "{" not in text, verb


# Pages


def test_the_pages(world: World) -> None:
    folder = a_folder(world.admin)
    mia = a_person(world, "mia@example.com", level=Level.COMMENT, on=folder)
    comments.start_thread(actor=mia, resource=folder, text="hello <b>@ada</b>")
    tell_all()
    browser = Client(raise_request_exception=False)
    browser.force_login(world.admin.user)  # type: ignore[arg-type]
    page = browser.get("/w/ours/notifications/").content.decode()
    assert "mentioned you in" in page and "hello &lt;b&gt;@ada&lt;/b&gt;" in page
    home = browser.get("/w/ours/").content.decode()
    assert "mentioned you in" in home and 'class="count hot">1<' in home
    [notice] = inbox.list_notices(world.admin)
    followed = browser.get(f"/w/ours/notifications/{notice.pk}")
    assert followed.status_code == 303 and followed.headers["Location"].startswith("/w/ours/comments/one/")
    assert inbox.count_unread(world.admin) == 0
    browser.post(f"/w/ours/notifications/{notice.pk}/mark", {"read": "0"})
    assert inbox.count_unread(world.admin) == 1
    browser.post("/w/ours/notifications/read-all")
    assert inbox.count_unread(world.admin) == 0
    pressed = browser.post(f"/w/ours/notifications/watch/{folder.pk}").content.decode()
    assert 'aria-pressed="false"' in pressed and not inbox.is_watching(world.admin, folder)
    browser.post("/w/ours/notifications/settings", {"shown": ["mention"], "mail": ["mention"]})
    assert inbox.preferences(world.admin).mail == ["mention"] and "reply" in inbox.preferences(world.admin).off
    for path in (
        "notifications/settings",
        "activity/",
        f"activity/{folder.pk}",
        "notifications/latest",
        "notifications/bell",
    ):
        assert browser.get(f"/w/ours/{path}").status_code == 200, path
    assert browser.get("/w/ours/activity/?person=nonsense").status_code == 404
    assert browser.get("/w/ours/notifications/?state=nonsense").status_code == 422


def test_row_level_security_holds(world: World) -> None:
    """The tables of both rooms show nothing outside their workspace, asked past every manager."""
    folder = a_folder(world.admin)
    comments.start_thread(actor=world.admin, resource=folder, text="ours")
    operations.watch(actor=world.admin, resource=folder)
    from apps.access.scope import workspace_scope

    with workspace_scope(world.theirs.workspace), connection.cursor() as cursor:
        for table in ("comments_thread", "comments_comment", "notifications_watch", "notifications_outbox"):
            cursor.execute(f"select count(*) from {table}")
            assert cursor.fetchone()[0] == 0, table
    assert Resource.objects.filter(pk=root_resource().pk).exists()
