"""Brings up a real PostgreSQL and Redis before Django's settings are read. Loaded by `-p` in pyproject.toml."""

from __future__ import annotations

import atexit
import os
from contextlib import ExitStack

from workspace.installation.engines import temporary_engines

_stack = ExitStack()
atexit.register(_stack.close)
for _name in ("DATABASE_URL", "DATABASE_OWNER_URL", "REDIS_URL", "BOATHOUSE_STORAGE", "BOATHOUSE_SECRET_KEY"):
    os.environ.pop(_name, None)
engines = _stack.enter_context(temporary_engines())
os.environ["BOATHOUSE_HOME"] = str(engines.home.path)
