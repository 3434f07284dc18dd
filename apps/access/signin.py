"""Signing in: by password, by one-time link, and the set-up of the first admin. Guessing is slowed down."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from datetime import timedelta
from pathlib import Path

from django.conf import settings
from django.contrib.auth import authenticate, login
from django.contrib.auth.hashers import make_password
from django.db import transaction
from django.http import HttpRequest

from apps.access import audit, tasks
from apps.access.actor import Actor
from apps.access.models import LoginFailure, Membership, SignInLink, User, Workspace
from apps.access.scope import workspace_scope
from apps.access.workspaces import create_workspace, find_or_create_person, memberships_of, set_password
from apps.foundation.clock import now
from apps.foundation.errors import Conflict, Invalid, NotFound, TooMany

WINDOW = timedelta(minutes=15)
FAILURES_PER_ACCOUNT = 8
FAILURES_PER_ADDRESS = 40
LINK_LIVES = timedelta(minutes=15)
WRONG = "That e-mail address and password do not go together."


def sign_in(request: HttpRequest, *, email: str, password: str) -> User:
    """Sign a person in by password. Raises Invalid without saying which half is wrong, TooMany after many failures."""
    account, address = _account_hash(email), client_address(request)
    _refuse_guessing(account, address)
    user = authenticate(request, username=email.strip(), password=password)
    if user is None or user.kind != User.Kind.PERSON or not memberships_of(user):  # type: ignore[attr-defined]
        LoginFailure.objects.create(email_hash=account, address=address)
        raise Invalid(WRONG, code="wrong_credentials")
    LoginFailure.objects.filter(email_hash=account).delete()
    _open_session(request, user)  # type: ignore[arg-type]
    return user  # type: ignore[return-value]


def make_link(workspace: Workspace, user: User) -> tuple[str, SignInLink]:
    """A one-time sign-in link's path and its row; it lives for a quarter of an hour."""
    raw, link = _new_link(workspace, user, SignInLink.Purpose.SIGN_IN)
    return f"/link/{raw}", link


def ask_for_reset(request: HttpRequest, email: str) -> None:
    """Have a link to set a new password mailed, when somebody has this address. Who asks learns nothing, not even by the time it takes."""
    account, address = _account_hash(email), client_address(request)
    # Counted like failed sign-ins, so that nobody's mailbox is flooded.
    _refuse_guessing(account, address)
    LoginFailure.objects.create(email_hash=account, address=address)
    transaction.on_commit(lambda: tasks.send_reset_link.delay(email), robust=True)


def make_reset_link(email: str) -> str | None:
    """The path of a link to set the password of the person with this address, or None when there is nobody to let in."""
    user = User.objects.filter(email__iexact=email.strip(), kind=User.Kind.PERSON, is_active=True).first()
    workspaces = memberships_of(user) if user else []
    if user is None or not workspaces:
        return None
    return f"/reset/{_new_link(workspaces[0], user, SignInLink.Purpose.PASSWORD)[0]}"


def find_reset_link(raw: str, *, lock: bool = False) -> SignInLink:
    """The live link to set a password. Raises NotFound for any other."""
    return _live_link(raw, SignInLink.Purpose.PASSWORD, lock=lock)


def reset_password(raw: str, new: str) -> None:
    """Use the link up and set the password; every browser of the person is signed out. Raises NotFound, Invalid."""
    with transaction.atomic():
        link = find_reset_link(raw, lock=True)
        set_password(link.user, new)
        link.user.save(update_fields=["password"])
        link.used_at = now()
        link.save(update_fields=["used_at"])
        link.user.sessions.all().delete()
        LoginFailure.objects.filter(email_hash=_account_hash(link.user.email or "")).delete()
        with workspace_scope(link.workspace):
            audit.record(
                Actor(user=link.user, workspace=link.workspace),
                "access.reset_password",
                Membership.objects.get(user=link.user),
            )


def _new_link(workspace: Workspace, user: User, purpose: str) -> tuple[str, SignInLink]:
    raw = secrets.token_urlsafe(32)
    digest, end = hashlib.sha256(raw.encode()).digest(), now() + LINK_LIVES
    return raw, SignInLink.objects.create(
        token_hash=digest, user=user, workspace=workspace, expires_at=end, purpose=purpose
    )


def _live_link(raw: str, purpose: str, *, lock: bool) -> SignInLink:
    links = SignInLink.objects.select_for_update(of=("self",)) if lock else SignInLink.objects.all()
    digest = hashlib.sha256(raw.encode()).digest()
    found = links.select_related("user", "workspace").filter(token_hash=digest, purpose=purpose)
    link = found.filter(used_at__isnull=True, expires_at__gt=now()).first()
    if link is None or not link.user.is_active:
        raise NotFound("This link was used or is too old. Ask for a new one.")
    if link.workspace_id not in {workspace.pk for workspace in memberships_of(link.user)}:
        raise NotFound
    return link


def sign_in_by_link(request: HttpRequest, raw: str) -> Workspace:
    """Use a link up and sign its person in; the workspace it leads to. Raises NotFound for any link that cannot be used."""
    with transaction.atomic():
        link = _live_link(raw, SignInLink.Purpose.SIGN_IN, lock=True)
        link.used_at = now()
        link.save(update_fields=["used_at"])
    _open_session(request, link.user)
    return link.workspace


def needs_setup() -> bool:
    """Whether nobody is here yet, so that the first admin can be made."""
    return not User.objects.exists()


def setup_code() -> str:
    """The code that set-up asks for, made once and kept in the home: whoever reads the server's files may set it up."""
    path = Path(settings.BOATHOUSE_HOME) / "setup-code"
    if not path.exists():
        path.touch(mode=0o600)
        path.write_text(secrets.token_hex(4))
    return path.read_text().strip()


def set_up(
    request: HttpRequest, *, code: str, email: str, password: str, workspace: str, name: str = "", title: str = ""
) -> Workspace:
    """Make the first admin and workspace, and sign in. Raises Conflict when somebody is here already, Invalid for a wrong code."""
    if not needs_setup():
        raise Conflict("This installation is set up; sign in instead.")
    address = client_address(request)
    _refuse_guessing(_account_hash("set-up"), address)
    if not hmac.compare_digest(code.strip().encode(), setup_code().encode()):
        LoginFailure.objects.create(email_hash=_account_hash("set-up"), address=address)
        raise Invalid(
            fields={"code": "That is not the code that the server printed at start (also in setup-code in its home)."}
        )
    with transaction.atomic():
        admin = find_or_create_person(email, password=password, name=name)
        made = create_workspace(workspace, admin=admin, title=title)
    _open_session(request, admin)
    return made


def client_address(request: HttpRequest) -> str:
    """Where the connection comes from. Headers of proxies are claims and not believed."""
    return request.META.get("REMOTE_ADDR") or "local"


def _open_session(request: HttpRequest, user: User) -> None:
    # login() makes a new session key, so that a planted one is worth nothing.
    login(request, user, backend="django.contrib.auth.backends.ModelBackend")
    request.session["user_agent"] = request.headers.get("User-Agent", "")[:300]
    address = client_address(request)
    request.session["address"] = None if address == "local" else address


def _account_hash(email: str) -> bytes:
    return hashlib.sha256(email.strip().lower().encode()).digest()


def _refuse_guessing(account: bytes, address: str) -> None:
    recent = LoginFailure.objects.filter(at__gt=now() - WINDOW)
    guessed = recent.filter(email_hash=account).count() >= FAILURES_PER_ACCOUNT
    if guessed or recent.filter(address=address).count() >= FAILURES_PER_ADDRESS:
        # The work of a real check, so that a refusal is not told apart by its time.
        make_password("x")
        raise TooMany(
            "Too many failed attempts. Wait a quarter of an hour, or ask an admin for a sign-in link.",
            retry_after_seconds=900,
        )
