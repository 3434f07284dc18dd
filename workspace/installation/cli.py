"""The verbs of manage.py. What is none of ours goes to Django's own management."""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from importlib import import_module
from typing import Any

from workspace.env import CHECKOUT, SettingError, env
from workspace.installation import checks, dev, frontend, lifecycle, logs, status, verify
from workspace.installation.home import InstallationError

Answer = tuple[int, dict[str, Any], str]


def main(argv: list[str]) -> int:
    """Run one command; its exit code."""
    # Ended quietly by a reader that has seen enough, as in `manage.py logs | head`.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    if argv and argv[0] not in _parser_names() and not argv[0].startswith("-"):
        return _django(argv)
    given = _parser().parse_args(argv or ["--help"])
    try:
        code, answer, text = given.run(given)
    except KeyboardInterrupt:
        return 130
    except (InstallationError, SettingError) as error:
        code, answer, text = 1, {"error": str(error)}, ""
        print(f"manage.py: {error}", file=sys.stderr)
    if getattr(given, "json", False):
        print(json.dumps(answer))
    elif text:
        print(text)
    return code


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _up(given: argparse.Namespace) -> Answer:
    began = time.monotonic()
    frontend.build()
    record = lifecycle.up(env, _say)
    seconds = round(time.monotonic() - began, 1)
    lines = [
        f"Boathouse is up at {record.url}  ({seconds} s)",
        f"  home      {env.home}",
        f"  sign in   {_rooms().set_up_hint()}",
    ]
    return 0, {"url": record.url, "home": str(env.home), "seconds": seconds}, "\n".join(lines)


def _down(given: argparse.Namespace) -> Answer:
    ended = lifecycle.down(env)
    return 0, {"stopped": ended}, "Boathouse is down." if ended else "Nothing was running."


def _status(given: argparse.Namespace) -> Answer:
    found = status.read(env)
    lines = [f"{'process':<12}{'state':<12}{'pid':>8}{'memory':>10}{'uptime':>10}{'restarts':>10}"]
    for process in found.processes:
        memory = f"{process.rss_bytes / 1e6:.0f} MB"
        uptime = f"{process.uptime_seconds:.0f} s"
        lines.append(
            f"{process.name:<12}{process.state:<12}{process.pid or '-':>8}{memory:>10}{uptime:>10}{process.restarts:>10}"
        )
    health = f"{found.url}: {'healthy' if found.is_healthy else 'not healthy'}"
    text = "\n".join([*lines, health]) if found.processes else f"Nothing runs in {env.home}."
    return 0 if found.is_healthy else 1, found.as_json(), text


def _pids(given: argparse.Namespace) -> Answer:
    found = status.pids(env)
    return 0, dict(found), "\n".join(f"{name} {pid}" for name, pid in found.items())


def _logs(given: argparse.Namespace) -> Answer:
    if given.no_follow:
        paths = logs.logs_of(env.place.logs, given.names)
        kept = [f"{path.stem:<11} {line}" for path in paths for line in logs.end_of(path, given.lines)]
        return 0, {"lines": kept}, "\n".join(kept)
    for line in logs.follow(env.place.logs, given.names, given.lines):
        print(line, flush=True)
    return 0, {}, ""


def _doctor(given: argparse.Namespace) -> Answer:
    found = checks.all_checks(env)
    is_well = all(check.ok for check in found)
    lines = [f"{'ok  ' if check.ok else 'BAD '} {check.name:<14} {check.message}" for check in found]
    answer = {"ok": is_well, "checks": [{"name": c.name, "ok": c.ok, "message": c.message} for c in found]}
    return 0 if is_well else 1, answer, "\n".join(lines)


def _verify(given: argparse.Namespace) -> Answer:
    return (verify.update(env) if given.update else verify.run(env, given.rest)), {}, ""


def _dev(given: argparse.Namespace) -> Answer:
    os.environ["BOATHOUSE_DEVELOPMENT"] = "1"
    code, answer, text = _up(given)
    print(text, flush=True)
    return dev.run(env) or code, answer, ""


def _bench(*arguments: str) -> Callable[[argparse.Namespace], Answer]:
    def run(given: argparse.Namespace) -> Answer:
        done = subprocess.run([sys.executable, "-m", "bench", *arguments], cwd=CHECKOUT, env=env.for_process())
        return done.returncode, {}, ""

    return run


def _demo(given: argparse.Namespace) -> Answer:
    _up(given)
    return import_module("workspace.demo.story").tell(env), {}, ""


def _people(name: str) -> Callable[[argparse.Namespace], Answer]:
    def run(given: argparse.Namespace) -> Answer:
        people = _rooms()
        from django.db import DatabaseError

        from apps.foundation.errors import BoathouseError

        try:
            return getattr(people, name)(given)
        except BoathouseError as error:
            raise InstallationError(error.message) from None
        except DatabaseError as error:
            raise InstallationError(
                f"the database cannot do this ({str(error).strip()}); is it up? manage.py up"
            ) from None

    return run


def _rooms() -> Any:
    """The commands that use the rooms; Django is loaded for them alone."""
    if not status.read(env).processes and not env.is_given("DATABASE_URL"):
        raise InstallationError("nothing runs here; start it first: ./manage.py up")
    set_up_django()
    from workspace.commands import people

    return people


def set_up_django() -> None:
    """Load the program's settings, as web does."""
    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "workspace.settings")
    django.setup()


def _django(argv: list[str]) -> int:
    from django.core.management import execute_from_command_line

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "workspace.settings")
    execute_from_command_line(["manage.py", *argv])
    return 0


def _parser_names() -> set[str]:
    actions = [action for action in _parser()._actions if isinstance(action, argparse._SubParsersAction)]
    return {name for action in actions for name in action.choices}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="manage.py", description="Boathouse: one installation in one home.")
    verbs = parser.add_subparsers(required=True, metavar="COMMAND")

    def add(to: Any, name: str, run: Callable[[argparse.Namespace], Answer], help: str) -> argparse.ArgumentParser:
        verb: argparse.ArgumentParser = to.add_parser(name, help=help, description=help)
        verb.add_argument("--json", action="store_true", help="print exactly one JSON object")
        verb.set_defaults(run=run)
        return verb

    add(verbs, "up", _up, "start everything in the background and wait until it is healthy")
    add(verbs, "down", _down, "stop everything that runs in this home")
    add(verbs, "status", _status, "each process with state, pid, memory, uptime")
    add(verbs, "pids", _pids, "the pid of every process")
    add(verbs, "dev", _dev, "up, then follow the logs and take up every change in the checkout")
    add(verbs, "bench", _bench(), "the benchmarks that need no peer installed")
    add(verbs, "bench-peers", _bench("peers"), "install peers in environments of their own and compare")
    add(verbs, "demo", _demo, "up, then the flight-delay story from end to end")
    follow = add(verbs, "logs", _logs, "the logs, followed")
    follow.add_argument("names", nargs="*", metavar="PROCESS", help="only of these, e.g. web worker-1")
    follow.add_argument("--lines", type=int, default=10, help="how many earlier lines of each")
    follow.add_argument("--no-follow", action="store_true", help="only what is there")
    add(verbs, "doctor", _doctor, "check settings, storage, queue, clock and database of a running installation")
    for name in ("test", "verify"):
        checked = add(verbs, name, _verify, "everything that CI runs")
        checked.add_argument("--update", action="store_true", help="write snapshots and reference pages anew")
        checked.add_argument("rest", nargs=argparse.REMAINDER, help="arguments for pytest; without them, all checks")
    _add_people(verbs, add)
    return parser


def _add_people(verbs: Any, add: Callable[..., argparse.ArgumentParser]) -> None:
    def group(name: str, help: str) -> Any:
        return verbs.add_parser(name, help=help).add_subparsers(required=True, metavar="COMMAND")

    create = add(
        group("workspace", "make workspaces"),
        "create",
        _people("create_workspace"),
        "make a workspace with its first admin",
    )
    create.add_argument("name")
    create.add_argument("--admin", required=True, metavar="EMAIL")
    create.add_argument("--password")
    user = group("user", "take people in, and let them in")
    member = add(user, "add", _people("add_user"), "take a person into a workspace")
    member.add_argument("--admin", action="store_true")
    member.add_argument("--password")
    link = add(user, "link", _people("sign_in_link"), "a link that signs a person in once, within 15 minutes")
    token = add(group("token", "make tokens"), "create", _people("create_token"), "a token of a member")
    token.add_argument("--days", type=int)
    token.add_argument("--scope", action="append", default=[], metavar="SCOPE")
    for verb in (member, link, token):
        verb.add_argument("workspace")
        verb.add_argument("email")
