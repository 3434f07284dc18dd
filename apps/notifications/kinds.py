"""The kinds of notice: what each is about, its sign, and whether it comes by mail unless somebody says otherwise."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class NoticeKind:
    """One kind. `icon` and `tone` show it where no person acted; `sentence` stands in the preferences; `asks`: stands on Home until read."""

    name: str
    icon: str
    tone: str
    sentence: str
    mail: bool = False
    asks: bool = False


_KINDS = (
    NoticeKind("mention", "at-sign", "info", "Somebody mentions me or a group of mine", mail=True, asks=True),
    NoticeKind("reply", "reply", "info", "Somebody answers in a thread that I take part in"),
    NoticeKind("comment", "message-square", "info", "Somebody comments on what I watch"),
    NoticeKind("access_request", "key-round", "wait", "Somebody asks for access to what I manage", mail=True),
    NoticeKind("access_answer", "key-round", "ok", "My request for access is answered", mail=True),
    NoticeKind("transition_request", "git-pull-request-arrow", "wait", "Somebody asks me to move a version", mail=True),
    NoticeKind(
        "transition_answer", "git-pull-request-arrow", "ok", "My request to move a version is answered", mail=True
    ),
    NoticeKind("job_failed", "circle-x", "bad", "A job run of mine fails", mail=True),
    NoticeKind("stage", "box", "info", "A version of a model that I watch moves to another stage"),
    NoticeKind(
        "endpoint_unhealthy", "octagon-alert", "bad", "An endpoint of mine stops answering", mail=True, asks=True
    ),
)
KINDS: dict[str, NoticeKind] = {kind.name: kind for kind in _KINDS}
