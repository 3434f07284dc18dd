"""Settings: what the environment says is taken as it is meant, or refused with a sentence."""

from __future__ import annotations

from pathlib import Path

import pytest

from workspace.env import Env, SettingError, database_entry

NAMES = [variable.name for variable in Env.variables()]


@pytest.fixture
def env(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Env:
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("BOATHOUSE_HOME", str(tmp_path))
    return Env()


def test_defaults_follow_the_home_and_the_port(env: Env, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("BOATHOUSE_PORT", "9100")
    assert (env.port, env.content_port, env.url) == (9100, 9101, "http://127.0.0.1:9100")
    assert env.storage == tmp_path / "storage"
    assert env.database["USER"] == "boathouse_app"
    assert env.database_owner["USER"] == "boathouse_owner"
    assert env.database["HOST"] == str(env.place.runtime / "postgres")
    assert env.celery_broker_url == f"redis+socket://{env.place.redis_socket}?virtual_host=0"
    assert not env.https


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("BOATHOUSE_PORT", "80000"),
        ("BOATHOUSE_PORT", "eighty"),
        ("BOATHOUSE_WORKERS", "0"),
        ("BOATHOUSE_EGRESS_ALLOW", "git.example.com"),
        ("DATABASE_URL", "mysql://host/db"),
        ("REDIS_URL", "host:6379"),
        ("BOATHOUSE_DEVELOPMENT", "maybe"),
    ],
)
def test_what_cannot_be_used_is_refused_by_name(
    env: Env, monkeypatch: pytest.MonkeyPatch, name: str, text: str
) -> None:
    monkeypatch.setenv(name, text)
    variable = next(variable for variable in Env.variables() if variable.name == name)
    with pytest.raises(SettingError, match=name):
        variable.__get__(env, Env)


def test_a_database_address_is_read_whole() -> None:
    entry = database_entry("postgres://app:p%40ss@db.example.com:6432/ml?sslmode=require")
    assert (entry["HOST"], entry["PORT"], entry["NAME"]) == ("db.example.com", "6432", "ml")
    assert (entry["USER"], entry["PASSWORD"]) == ("app", "p@ss")
    assert entry["OPTIONS"] == {"sslmode": "require"}


def test_the_secret_key_is_made_once_and_closed(env: Env) -> None:
    key = env.secret_key
    path = env.home / "secrets" / "secret_key"
    assert len(key) > 40
    assert env.secret_key == key
    assert path.stat().st_mode & 0o777 == 0o600


def test_hosts_answered_to(env: Env, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BOATHOUSE_PUBLIC_URL", "https://ml.example.com")
    monkeypatch.setenv("BOATHOUSE_ALLOWED_HOSTS", "ml, ml.internal")
    assert {"ml.example.com", "localhost", "ml", "ml.internal"} <= set(env.allowed_hosts)
    assert "*" not in env.allowed_hosts
    assert env.https
