"""Secrets at rest: sealed with a key derived from the installation's, never shown again, never logged."""

from __future__ import annotations

import base64
import hashlib

from cryptography.fernet import Fernet
from django.conf import settings


def seal(text: str) -> bytes:
    """The text encrypted and authenticated."""
    return _box().encrypt(text.encode())


def unseal(sealed: bytes | memoryview) -> str:
    """The text again. Raises cryptography's InvalidToken when it was changed or sealed with another key."""
    return _box().decrypt(bytes(sealed)).decode()


def _box() -> Fernet:
    key = hashlib.scrypt(settings.SECRET_KEY.encode(), salt=b"boathouse.secrets", n=2**12, r=8, p=1, dklen=32)
    return Fernet(base64.urlsafe_b64encode(key))
