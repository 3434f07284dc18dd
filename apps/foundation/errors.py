"""What can go wrong, as meanings. Rooms raise these; the edge (foundation/http.py, each door) chooses status and shape."""

from __future__ import annotations


class BoathouseError(Exception):
    """A failure with a stable code and a sentence that says what to do."""

    code = "error"
    status = 500
    title = "Something went wrong"

    def __init__(self, message: str = "", *, code: str | None = None) -> None:
        self.message = message or self.title
        if code is not None:
            self.code = code
        super().__init__(self.message)


class Unauthenticated(BoathouseError):
    """Nobody, or no valid credentials."""

    code, status, title = "unauthenticated", 401, "Sign in or send a valid token"


class NotFound(BoathouseError):
    """Absent, or not to be known about: the two are never told apart."""

    code, status, title = "not_found", 404, "Not here, or not shared with you"


class Forbidden(BoathouseError):
    """Known to the caller, who holds too low a level. `needs` is the level's name."""

    code, status, title = "forbidden", 403, "Your level is too low for this"

    def __init__(self, message: str = "", *, needs: str = "", code: str | None = None) -> None:
        super().__init__(message, code=code)
        self.needs = needs


class Invalid(BoathouseError):
    """Input that cannot be taken. `fields` maps a field's name to its sentence."""

    code, status, title = "invalid", 422, "Some values cannot be taken"

    def __init__(self, message: str = "", *, fields: dict[str, str] | None = None, code: str | None = None) -> None:
        self.fields = fields or {}
        if not message and self.fields:
            message = "; ".join(f"{name}: {sentence}" for name, sentence in self.fields.items())
        super().__init__(message, code=code)


class Conflict(BoathouseError):
    """The thing is in a state that does not allow this."""

    code, status, title = "conflict", 409, "The present state does not allow this"


class AlreadyExists(Conflict):
    """The name is taken, possibly by something the caller may not see."""

    code, title = "already_exists", "That name is taken"


class Stale(BoathouseError):
    """Somebody changed it since the caller read it."""

    code, status, title = "stale", 412, "Somebody changed this since you read it; read it again"


class TooLarge(BoathouseError):
    """The body is over the limit of this route."""

    code, status, title = "too_large", 413, "The request is larger than this address takes"


class TooMany(BoathouseError):
    """Over a limit; try again after `retry_after_seconds`."""

    code, status, title = "too_many", 429, "Too many requests"

    def __init__(self, message: str = "", *, retry_after_seconds: int = 1, code: str | None = None) -> None:
        super().__init__(message, code=code)
        self.retry_after_seconds = retry_after_seconds


class Unavailable(BoathouseError):
    """A part that is needed is away for the moment."""

    code, status, title = "unavailable", 503, "A part that is needed is not available at the moment"

    def __init__(self, message: str = "", *, retry_after_seconds: int = 2, code: str | None = None) -> None:
        super().__init__(message, code=code)
        self.retry_after_seconds = retry_after_seconds


class UserCodeFailed(BoathouseError):
    """A member's script, requirements or model failed: shown to its owner, not to us."""

    code, status, title = "user_code_failed", 422, "Your code failed"
