"""`python -m bench [peers] [name ...]`: runs benchmarks one after the other; with `peers` those that need a peer installed."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

FOLDER = Path(__file__).parent
ALONE = ("start", "b7_delta_reads", "b8_listing", "pages", "lineage")
WITH_PEERS = ("b1_ingest", "b2_search", "b5_scoring")
# The peers' parts, pinned; each lives in an environment of its own under bench/peers/.
MLFLOW = ("mlflow[auth]==3.17.2", "mlflow-skinny==3.17.2", "mlflow-tracing==3.17.2", "psycopg2-binary")


def peer() -> str:
    """The Python of the mlflow peer, installed when it is missing."""
    if given := os.environ.get("BOATHOUSE_PEER_MLFLOW"):
        return given
    python = FOLDER / "peers" / "mlflow" / "bin" / "python"
    if not python.exists():
        uv = Path(sys.executable).with_name("uv")
        subprocess.run([uv, "venv", "-q", "--python", sys.executable, python.parents[1]], check=True)
        subprocess.run([uv, "pip", "install", "-q", "--python", python, *MLFLOW], check=True)
    return str(python)


def main(words: list[str]) -> int:
    """Run what is asked for; 0 when all ran to their end."""
    names = [word for word in words if word != "peers"] or list(WITH_PEERS if "peers" in words else ALONE)
    failed = 0
    for name in names:
        if find_spec(f"bench.{name}") is None:
            sys.exit(f"there is no benchmark {name}; there are {', '.join((*ALONE, *WITH_PEERS))}")
        environment = dict(os.environ)
        if name in WITH_PEERS:
            environment["BOATHOUSE_PEER_MLFLOW"] = peer()
        print(f"\n== {name}", flush=True)
        failed |= subprocess.run([sys.executable, "-m", f"bench.{name}"], cwd=FOLDER.parent, env=environment).returncode
    return failed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
