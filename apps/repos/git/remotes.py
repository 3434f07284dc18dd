"""Transfers with a repository somewhere else: one address, checked and pinned, one credential, no redirects, no prompts, no hooks."""

from __future__ import annotations

import base64
import os
import re
import selectors
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from apps.access import egress
from apps.foundation.errors import BoathouseError, Conflict, Invalid, Unavailable
from apps.repos import refnames

from . import process
from .reading import Repository

MAX_URL = 2000
SECONDS = 3600
BEAT_SECONDS = 1.0
SAID_BYTES = 16_000
_URL = re.compile(r"https?://[^\s\x00-\x20\x7f\\\"'<>`{}|^@?#]+")
_PERCENT = re.compile(r"(?:remote: )?([A-Z][A-Za-z ]+):\s+(\d+)%")
REASONS = (
    (r"could not read Username|could not read Password", "This repository needs a user name and a password or token."),
    (r"Authentication failed|returned error: 401", "The server refused this user name and password. Tokens of most hosts go into the password."),
    (r"returned error: 403", "The server knows these credentials and does not let them do this; the token may lack a scope."),
    (r"repository .* not found|returned error: 404", "There is no repository at this address, or these credentials may not see it."),
    (r"returned error: 3\d\d|unable to update url base from redirection", "The server sends to another address. Use that address here; redirects are not followed."),
    (r"Could not resolve host", "The name of the server leads to no address; check its spelling."),
    (r"Connection refused", "Nothing listens at this address and port."),
    (r"timed? ?out|transfer closed|Operation too slow", "The server took too long; try again."),
    (r"SSL certificate|certificate verif", "The certificate of the server is not trusted by this installation."),
    (r"not valid: is this a git repository|does not appear to be a git repository|bad line length", "What answers there is not a git repository."),
    (r"fetch first|non-fast-forward", "The branch has commits over there that are not here. Fetch, pull, look at the result, then push; your commits are safe here."),
    (r"protected branch|pre-receive hook declined|remote rejected", "The other side refused the branch; it may be protected. Push another branch and open a request there."),
    (r"fsck|index-pack failed|unpack-objects", "The history over there has malformed objects, which are not taken here."),
    (r"File size limit|No space|too large", "It is larger than a repository may be here."),
)  # fmt: skip


@dataclass(frozen=True)
class Target:
    """A remote that has been checked: its address as git gets it, pinned to where its name led."""

    url: str
    host: str
    port: int
    scheme: str
    addresses: tuple[str, ...] = field(default=())

    @property
    def shown(self) -> str:
        """Host and path, without the scheme."""
        return self.url.split("://", 1)[1]


class Stopped(BoathouseError):
    """The transfer was ended by whoever watches it."""

    code, status, title = "stopped", 409, "Stopped"


def parse_url(url: str) -> Target:
    """The address of a remote, when it has a form that we take: https to a public host, or what the operator allows."""
    url = url.strip()
    if url.startswith(("git@", "ssh://", "git://", "file:", "ext::", "/", ".")):
        raise Invalid(fields={"url": "Only https addresses are taken; copy the one that begins with https:// there."})
    if len(url) > MAX_URL or not _URL.fullmatch(url):
        raise Invalid(
            fields={
                "url": "Not an address of the form https://host/path.git. User and password have fields of their own."
            }
        )
    try:
        parts = urlsplit(url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError:
        raise Invalid(fields={"url": "The host or the port is malformed."}) from None
    host = (parts.hostname or "").rstrip(".")
    if not host or host.startswith("-") or not parts.path.strip("/"):
        raise Invalid(fields={"url": "Give a host and a path, such as https://host/team/project.git."})
    if parts.scheme == "http" and not egress.is_allowed(host, port):
        raise Invalid(fields={"url": "Use https: over http the password could be read on the way."})
    return Target(url, host, port, parts.scheme)


def pin(target: Target) -> Target:
    """The same with the addresses that its name leads to, all of them allowed."""
    return Target(target.url, target.host, target.port, target.scheme, tuple(egress.resolve(target.host, target.port)))


def head_branch(repository: Repository, target: Target, header: str, watch: Watch) -> str:
    """The default branch over there ("" when there is none); fails when the address or the credentials are wrong."""
    said = _transfer(repository, target, header, watch, "ls-remote", "--symref", "--", target.url, "HEAD")
    match = re.search(r"^ref: refs/heads/(\S+)\tHEAD$", said, re.MULTILINE)
    return match[1] if match and refnames.is_ref_name(match[1]) else ""


def fetch(repository: Repository, target: Target, header: str, watch: Watch) -> None:
    """Make branches and tags here be as they are there; what went there goes here too. All of it or nothing."""
    argv = (
        "fetch",
        "--progress",
        "--prune",
        "--no-tags",
        "--no-recurse-submodules",
        "--no-write-fetch-head",
        "--atomic",
        "--no-auto-gc",
    )
    _transfer(
        repository,
        target,
        header,
        watch,
        *argv,
        "--",
        target.url,
        "+refs/heads/*:refs/heads/*",
        "+refs/tags/*:refs/tags/*",
    )


def push(repository: Repository, target: Target, header: str, watch: Watch, *, commit: str, branch: str) -> None:
    """Move a branch over there forward to a commit; never over somebody else's commits."""
    spec = f"{refnames.require_sha(commit)}:refs/heads/{refnames.require_ref_name(branch)}"
    _transfer(
        repository, target, header, watch, "push", "--progress", "--porcelain", "--no-verify", "--", target.url, spec
    )


def basic(username: str, password: str) -> str:
    """The header that carries a credential; "" without one."""
    if not username and not password:
        return ""
    return "Authorization: Basic " + base64.b64encode(f"{username or 'git'}:{password}".encode()).decode()


@dataclass
class Watch:
    """Follows a transfer: `beat(phase, percent, said)` about once a second, which may raise Stopped."""

    beat: Callable[[str, int | None, str], None]
    secret: str = ""
    phase: str = ""
    percent: int | None = None
    said: str = ""

    def hear(self, text: str) -> None:
        """Take what git printed: progress as phase and percent, everything else as the log."""
        for line in re.split(r"[\r\n]+", text):
            if match := _PERCENT.match(line):
                self.phase, self.percent = match[1], int(match[2])
            elif line.strip():
                self.said = (self.said + self._clean(line) + "\n")[-SAID_BYTES:]

    def tell(self) -> None:
        """Let whoever watches know where it is."""
        self.beat(self.phase, self.percent, self.said)

    def _clean(self, line: str) -> str:
        line = "".join(char for char in line if char.isprintable())
        return line.replace(self.secret, "***") if self.secret else line


def _transfer(repository: Repository, target: Target, header: str, watch: Watch, *argv: str) -> str:
    """Run one transfer to its end, telling `watch` how far it is; what git printed. Raises what went wrong, in words."""
    running = process.start(repository.path, argv, **_settings(target, header, repository))
    deadline, next_beat = time.monotonic() + SECONDS, time.monotonic() + BEAT_SECONDS
    output, heard = bytearray(), bytearray()
    try:
        with selectors.DefaultSelector() as waiting:
            for pipe in filter(None, (running.stdout, running.stderr)):
                waiting.register(pipe, selectors.EVENT_READ)
            while waiting.get_map():
                for key, _ in waiting.select(BEAT_SECONDS):
                    piece = os.read(key.fd, 1 << 16)
                    if not piece:
                        waiting.unregister(key.fileobj)
                    elif key.fileobj is running.stdout:
                        output += piece[: max(0, process.OUTPUT_BYTES - len(output))]
                    else:
                        heard = (heard + piece)[-SAID_BYTES:]
                        watch.hear(piece.decode(errors="replace"))
                if time.monotonic() > deadline:
                    raise Unavailable("The transfer took more than an hour and was ended.")
                if time.monotonic() > next_beat:
                    next_beat = time.monotonic() + BEAT_SECONDS
                    watch.tell()
        code = running.wait(timeout=60)
    finally:
        process.close(running)
    if code:
        said = heard.decode(errors="replace") + output.decode(errors="replace")
        # A refused header makes git ask for a name, which nobody gives.
        raise _reason(said.replace("could not read", "Authentication failed") if header else said)
    return output.decode(errors="replace")


def _settings(target: Target, header: str, repository: Repository) -> dict[str, str]:
    """What this transfer may do beyond reading and writing its repository, on top of `environment`."""
    config = {
        "http.followRedirects": "false",
        "http.proxy": "",
        "http.lowSpeedLimit": "1000",
        "http.lowSpeedTime": "60",
        "http.userAgent": "git/2 boathouse",
        "http.cookieFile": "",
        "http.delegation": "none",
        "credential.helper": "",
        "core.askPass": "",
        "submodule.recurse": "false",
        "fetch.fsckObjects": "true",
        "fetch.fsck.badTimezone": "ignore",
        "fetch.fsck.zeroPaddedFilemode": "ignore",
        "fetch.unpackLimit": "1",
        "http.extraHeader": header,
    }
    if target.addresses:
        pinned = ",".join(f"[{a}]" if ":" in a else a for a in target.addresses)
        config["http.curloptResolve"] = f"{target.host}:{target.port}:{pinned}"
    if not header:
        del config["http.extraHeader"]
    begin = int(process.environment(repository.path)["GIT_CONFIG_COUNT"])
    said = {"GIT_CONFIG_COUNT": str(begin + len(config)), "GIT_ALLOW_PROTOCOL": target.scheme}
    for number, (key, value) in enumerate(config.items(), begin):
        said[f"GIT_CONFIG_KEY_{number}"] = key
        said[f"GIT_CONFIG_VALUE_{number}"] = value
    return said


def _reason(said: str) -> BoathouseError:
    for pattern, words in REASONS:
        if re.search(pattern, said, re.IGNORECASE):
            return Conflict(words)
    last = next((line for line in reversed(said.splitlines()) if line.strip()), "no reason was given")
    return Conflict(f"git could not do it: {last.strip()[:300]}")
