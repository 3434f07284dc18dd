"""The settings of an installation: one typed line per environment variable, and their only reader."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar, overload
from urllib.parse import parse_qsl, unquote, urlsplit

from workspace.installation.home import Home

CHECKOUT = Path(__file__).resolve().parents[1]
T = TypeVar("T")


class SettingError(ValueError):
    """A variable holds something that cannot be used; the message says which, and what would do."""


@dataclass(frozen=True)
class Variable(Generic[T]):
    """One environment variable: name, how it is read, its default, what it means."""

    name: str
    read: Callable[[str], T]
    default: T | Callable[[Env], T]
    sentence: str
    shown: str = ""  # the default in words, where the value depends on the machine

    @overload
    def __get__(self, env: None, owner: type) -> Variable[T]: ...
    @overload
    def __get__(self, env: Env, owner: type) -> T: ...
    def __get__(self, env: Env | None, owner: type) -> Variable[T] | T:
        if env is None:
            return self
        text = os.environ.get(self.name, "").strip()
        if not text:
            return self.default(env) if callable(self.default) else self.default
        try:
            return self.read(text)
        except ValueError as error:
            raise SettingError(f"{self.name}: {error}") from None


def _folder(text: str) -> Path:
    return Path(text).expanduser().absolute()


def _storage(text: str) -> Path | str:
    return text.rstrip("/") if text.startswith("s3://") else _folder(text)


def _port(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 65535:
        raise ValueError(f"{text!r} is not a port; use a number from 1 to 65535")
    return int(text)


def _count(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 256:
        raise ValueError(f"{text!r} is not a number of processes; use 1 to 256")
    return int(text)


def _bytes(text: str) -> int:
    if not text.isdecimal():
        raise ValueError(f"{text!r} is not a number of bytes; use 0 for no limit")
    return int(text)


def _switch(text: str) -> bool:
    if text.lower() not in {"0", "1", "true", "false", "yes", "no"}:
        raise ValueError(f"{text!r} is neither yes nor no; use 1 or 0")
    return text.lower() in {"1", "true", "yes"}


def _names(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _destinations(text: str) -> tuple[str, ...]:
    for destination in _names(text):
        host, _, port = destination.rpartition(":")
        if not host or not port.isdecimal():
            raise ValueError(f"{destination!r} is not host:port")
    return _names(text)


def _url(*schemes: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        if urlsplit(text).scheme not in schemes:
            raise ValueError(f"must begin with {' or '.join(scheme + '://' for scheme in schemes)}")
        return text

    return read


def _by_cores(env: Env) -> int:
    return max(2, min(8, os.cpu_count() or 2))


class Env:
    """What the environment says, read at the moment of asking, with defaults filled in."""

    # fmt: off
    home = Variable("BOATHOUSE_HOME", _folder, CHECKOUT / ".boathouse", "Everything this installation keeps: database, queue, files, logs, secrets.", "`.boathouse` in the checkout")
    host = Variable("BOATHOUSE_HOST", str, "127.0.0.1", "The address where web listens.")
    port = Variable("BOATHOUSE_PORT", _port, 8000, "The port where web listens.")
    content_port = Variable("BOATHOUSE_CONTENT_PORT", _port, lambda env: env.port + 1, "The separate origin for what members made: notebook output, HTML artifacts.", "port + 1")
    url = Variable("BOATHOUSE_PUBLIC_URL", _url("http", "https"), lambda env: f"http://{env.host}:{env.port}", "The address that people type, when it differs from host and port (a proxy in front).", "`http://host:port`")
    database_url = Variable("DATABASE_URL", _url("postgres", "postgresql"), lambda env: env.place.database_url("app"), "The database as the program uses it: a role that is no superuser and owns no table.", "the embedded PostgreSQL")
    database_owner_url = Variable("DATABASE_OWNER_URL", _url("postgres", "postgresql"), lambda env: env.place.database_url("owner"), "The database as its tables' owner; used by migrations only.", "the embedded one's owner")
    redis_url = Variable("REDIS_URL", _url("redis", "rediss", "unix"), lambda env: env.place.redis_url, "The queue and the live channels.", "the embedded Redis")
    storage = Variable("BOATHOUSE_STORAGE", _storage, lambda env: env.home / "storage", "A folder, or s3://bucket/prefix with endpoint and keys in the AWS_ variables.", "`$BOATHOUSE_HOME/storage`")
    secret_key = Variable("BOATHOUSE_SECRET_KEY", str, lambda env: env.place.secret_key(), "Signs and encrypts.", "generated into the home, mode 600")
    web_processes = Variable("BOATHOUSE_WEB_PROCESSES", _count, _by_cores, "How many web processes share the listening socket.", "by cores, 2 to 8")
    workers = Variable("BOATHOUSE_WORKERS", _count, _by_cores, "How many tasks of one kind run at the same time.", "by cores, 2 to 8")
    job_slots = Variable("BOATHOUSE_JOB_SLOTS", _count, _by_cores, "How many job runs are under way at the same time; the next ones wait.", "by cores, 2 to 8")
    artifact_max_bytes = Variable("BOATHOUSE_ARTIFACT_MAX_BYTES", _bytes, 0, "The largest artifact that may be uploaded, in bytes; 0 for no limit but the disk.", "0")
    egress_allow = Variable("BOATHOUSE_EGRESS_ALLOW", _destinations, (), "Comma list of host:port that git, webhooks and imports may reach although the address rules refuse it.", "empty")
    email_url = Variable("BOATHOUSE_EMAIL_URL", _url("smtp", "smtps", "file", "console"), lambda env: f"file://{env.home / 'mail'}", "Where mail goes: smtp://user:pw@host:port (`?tls=1` for STARTTLS), smtps:// for TLS from the start, file:///folder, or console:// for the worker's log.", "a folder of files in the home")
    email_from = Variable("BOATHOUSE_EMAIL_FROM", str, lambda env: f"Boathouse <boathouse@{urlsplit(env.url).hostname or 'localhost'}>", "Who mail comes from.", "boathouse@ the host that people type")
    extra_hosts = Variable("BOATHOUSE_ALLOWED_HOSTS", _names, (), "Comma list of host names that this installation answers to, beside its own and the loopback addresses.", "empty")
    trusted_proxies = Variable("BOATHOUSE_TRUSTED_PROXIES", str, "", "Comma list of addresses of proxies in front whose X-Forwarded-For and -Proto are believed.", "none")
    development = Variable("BOATHOUSE_DEVELOPMENT", _switch, False, "For working on Boathouse itself: /ui/, templates read anew. Never on a machine that others reach.", "0")
    notify_socket = Variable("NOTIFY_SOCKET", str, "", "Where a process says that it is ready, as systemd defines it; set by our supervisor for its children.", "none")
    # fmt: on

    @property
    def place(self) -> Home:
        """The home, with the paths below it."""
        return Home(self.home)

    @property
    def database(self) -> dict[str, Any]:
        """Django's database entry for the program's role."""
        return database_entry(self.database_url)

    @property
    def database_owner(self) -> dict[str, Any]:
        """Django's database entry for the tables' owner."""
        return database_entry(self.database_owner_url)

    @property
    def celery_broker_url(self) -> str:
        """The queue's address as Celery writes it."""
        parts = urlsplit(self.redis_url)
        if parts.scheme != "unix":
            return self.redis_url
        number = dict(parse_qsl(parts.query)).get("db", "0")
        return f"redis+socket://{parts.path}?virtual_host={number}"

    @property
    def mail(self) -> dict[str, Any]:
        """Django's settings for outgoing mail, without their prefix EMAIL_."""
        parts = urlsplit(self.email_url)
        if parts.scheme in ("file", "console"):
            kind = "filebased" if parts.scheme == "file" else "console"
            return {
                "BACKEND": f"django.core.mail.backends.{kind}.EmailBackend",
                "FILE_PATH": unquote(parts.path) or None,
            }
        implicit = parts.scheme == "smtps"
        return {
            "BACKEND": "django.core.mail.backends.smtp.EmailBackend",
            "HOST": parts.hostname or "localhost",
            "PORT": parts.port or (465 if implicit else 25),
            "HOST_USER": unquote(parts.username or ""),
            "HOST_PASSWORD": unquote(parts.password or ""),
            "USE_SSL": implicit,
            "USE_TLS": not implicit and dict(parse_qsl(parts.query)).get("tls") == "1",
            "TIMEOUT": 10,
        }

    @property
    def https(self) -> bool:
        """Whether people reach it by https, so that cookies can be Secure."""
        return self.url.startswith("https://")

    @property
    def allowed_hosts(self) -> list[str]:
        """The host names answered to; any other is refused, so that no stranger's name can be pointed at us."""
        own = {self.host, urlsplit(self.url).hostname or self.host, "localhost", "127.0.0.1", "[::1]"}
        if self.host in {"0.0.0.0", "::"}:
            own = own - {self.host} | {socket.gethostname()}
        return sorted(own | set(self.extra_hosts))

    def is_given(self, name: str) -> bool:
        """Whether the environment itself says something for this variable."""
        return bool(os.environ.get(name, "").strip())

    def for_process(self, **changes: str) -> dict[str, str]:
        """The environment for a process of ours: this one's, with changes."""
        return {**os.environ, **changes}

    @classmethod
    def variables(cls) -> list[Variable[Any]]:
        """Every variable, in the order of the page that documents them."""
        return [value for value in vars(cls).values() if isinstance(value, Variable)]


def database_entry(url: str) -> dict[str, Any]:
    """Django's DATABASES entry for a postgres:// address; a `host` in its query may be a socket folder."""
    parts = urlsplit(url)
    options: dict[str, Any] = dict(parse_qsl(parts.query))
    host = options.pop("host", None) or unquote(parts.hostname or "")
    port = str(options.pop("port", None) or parts.port or "")
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": unquote(parts.path.lstrip("/")),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": host,
        "PORT": port,
        "OPTIONS": options,
    }


env = Env()
