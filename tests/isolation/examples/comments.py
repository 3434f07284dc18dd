"""Examples of threads and comments."""

from __future__ import annotations

from apps.access.levels import Level
from apps.comments import operations
from tests.builders import Side, a_folder
from tests.isolation.kit import Example, Made

V1 = "/api/v1"
VIEW, COMMENT = Level.VIEW, Level.COMMENT


def talk(side: Side) -> Made:
    """A folder with a thread on it."""
    folder = a_folder(side.admin)
    comment = operations.start_thread(actor=side.admin, resource=folder, text="Is this *whole*?")
    return {"thing": folder, "thread": comment.thread, "comment": comment}


def settled(side: Side) -> Made:
    made = talk(side)
    operations.resolve(actor=side.admin, thread=made["thread"], reason="it is")
    return made


def of(route: str, method: str, path: str, setup=talk, **more) -> Example:  # type: ignore[no-untyped-def]
    def address(made: Made) -> str:
        return V1 + path.format(**{name: getattr(made.get(name), "pk", "") for name in ("thread", "comment", "thing")})

    return Example(route, method, address, setup=setup, **more)


def new_thread(made: Made) -> dict[str, str]:
    return {"resource_id": str(made["thing"].pk), "text": "And this?"}


def words(made: Made) -> dict[str, str]:
    return {"text": "Yes."}


def sign(made: Made) -> dict[str, str]:
    return {"name": "tada"}


EXAMPLES = [
    of("thread-list", "GET", "/threads", filtered=True),
    of("thread-list", "POST", "/threads", needs=COMMENT, body=new_thread, ok=201),
    of("thread-detail", "GET", "/threads/{thread}", needs=VIEW),
    of("thread-comments", "GET", "/threads/{thread}/comments", needs=VIEW),
    of("thread-reply", "POST", "/threads/{thread}/reply", needs=COMMENT, body=words, ok=201),
    of("thread-resolve", "POST", "/threads/{thread}/resolve", needs=COMMENT),
    of("thread-reopen", "POST", "/threads/{thread}/reopen", setup=settled, needs=COMMENT),
    of("comment-detail", "GET", "/comments/{comment}", needs=VIEW),
    of("comment-history", "GET", "/comments/{comment}/history", needs=VIEW),
    of("comment-react", "POST", "/comments/{comment}/react", needs=COMMENT, body=sign),
    of("comment-unreact", "POST", "/comments/{comment}/unreact", needs=COMMENT, body=sign),
    # Whose words they are decides: the admin wrote them, nobody else may change them, and who manages may delete.
    of("comment-detail", "PATCH", "/comments/{comment}", body=words),
    of("comment-detail", "DELETE", "/comments/{comment}", needs=Level.MANAGE, ok=204),
]
