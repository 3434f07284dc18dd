"""People and service principals (one table: both act, hold grants and own things), their sessions and failed sign-ins."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.sessions.base_session import AbstractBaseSession
from django.db import models
from django.db.models.functions import Lower

from apps.foundation.clock import now
from apps.foundation.ids import new_id


class UserManager(BaseUserManager["User"]):
    """Accounts by e-mail address, in any case."""

    def get_by_natural_key(self, username: str | None) -> User:
        return self.get(email__iexact=username or "")


class User(AbstractBaseUser):
    """An account: a person with an e-mail address, or a service principal without one. Belongs to workspaces by membership."""

    class Kind(models.TextChoices):
        PERSON = "person"
        SERVICE = "service"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    kind = models.CharField(max_length=16, choices=Kind.choices, default=Kind.PERSON)
    email = models.EmailField(max_length=254, null=True, unique=True)
    name = models.CharField(max_length=200, blank=True)
    is_active = models.BooleanField(default=True)
    created_at = models.DateTimeField(default=now)
    preferences = models.JSONField(default=dict, blank=True)

    USERNAME_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []
    objects = UserManager()

    class Meta:
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(Lower("email"), name="access_user_email_any_case"),
            models.CheckConstraint(
                condition=models.Q(kind="service") | models.Q(email__isnull=False), name="access_user_person_has_email"
            ),
        ]

    def __str__(self) -> str:
        return self.label

    @property
    def label(self) -> str:
        """What others see: the e-mail address of a person, the name of a service principal."""
        return self.email or self.name


class Session(AbstractBaseSession):
    """A signed-in browser, listed and revoked by its person."""

    user = models.ForeignKey(User, null=True, on_delete=models.CASCADE, related_name="sessions")
    created_at = models.DateTimeField(default=now)
    seen_at = models.DateTimeField(default=now)
    user_agent = models.CharField(max_length=300, blank=True)
    address = models.GenericIPAddressField(null=True)

    @classmethod
    def get_session_store_class(cls) -> Any:
        from apps.access.sessions import SessionStore

        return SessionStore


class LoginFailure(models.Model):
    """A failed sign-in, kept to slow down guessing: per address and per account."""

    email_hash = models.BinaryField(max_length=32)
    address = models.CharField(max_length=64)
    at = models.DateTimeField(default=now)

    class Meta:
        indexes: ClassVar[list[Any]] = [
            models.Index(fields=["email_hash", "at"]),
            models.Index(fields=["address", "at"]),
        ]


class SignInLink(models.Model):
    """A one-time link, to sign in or to set a password: stored as a hash, used once, for a quarter of an hour."""

    class Purpose(models.TextChoices):
        SIGN_IN = "sign_in"
        PASSWORD = "password"

    token_hash = models.BinaryField(max_length=32, primary_key=True)
    user = models.ForeignKey(User, on_delete=models.CASCADE)
    workspace = models.ForeignKey("access.Workspace", on_delete=models.CASCADE)
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True)
    purpose = models.CharField(max_length=8, choices=Purpose.choices, default=Purpose.SIGN_IN)
