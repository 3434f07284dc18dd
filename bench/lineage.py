"""Lineage: the page around one thing in a large graph, from the walk to the printed answer.

    python -m bench.lineage [nodes] [rounds]

Layers of 50 tables are read by runs of 5 inputs, each run makes a model, models are served, and one endpoint has a tenth of all nodes
as versions of its inference table. Goal: under 1 s at 10,000 nodes for every depth, the list included.
"""

from __future__ import annotations

import os
import sys
import time
from statistics import median
from typing import Any

from bench import harness
from workspace.installation.engines import temporary_engines

FILL = """
insert into lineage_lineagenode (id, workspace_id, kind, key, version, name, resource_id, created_at)
  select gen_random_uuid(), %(workspace)s, case when i %% 10 = 9 then 'table_version' when i %% 3 = 0 then 'table_version'
    when i %% 3 = 1 then 'run' else 'logged_model' end, case when i %% 10 = 9 then 'payload' else 'k' || i end,
    case when i %% 10 = 9 then (i / 10)::text else '' end, 'main.a.n' || i, null, now() - (%(many)s - i) * interval '1 minute'
  from generate_series(0, %(many)s - 1) i;
create temp table placed as select id, row_number() over (order by created_at) - 1 as i, key from lineage_lineagenode;
create index on placed (i);
insert into lineage_lineageedge (workspace_id, source_id, target_id, facts, first_at)
  select distinct on (s.id, t.id) %(workspace)s, s.id, t.id, '{"rows": 190133}'::jsonb, now() from placed t
  cross join generate_series(1, 5) n join placed s on s.i = t.i - 3 * n - (t.i * 7 + n * 13) %% 50 - 1
  where t.key <> 'payload' and s.key <> 'payload';
insert into lineage_lineagenode (id, workspace_id, kind, key, version, name, resource_id, created_at)
  values (gen_random_uuid(), %(workspace)s, 'endpoint', 'served', '', 'served', null, now());
insert into lineage_lineageedge (workspace_id, source_id, target_id, facts, first_at)
  select %(workspace)s, n.id, p.id, '{}', now() from placed p, lineage_lineagenode n where p.key = 'payload' and n.key = 'served';
insert into lineage_lineageedge (workspace_id, source_id, target_id, facts, first_at)
  select %(workspace)s, p.id, n.id, '{}', now() from placed p, lineage_lineagenode n
  where p.i > %(many)s - 20 and p.key <> 'payload' and n.key = 'served';
analyze;
"""


def main(many: int, rounds: int) -> None:
    """Fill a database, ask for the page at several depths, print."""
    with temporary_engines() as engines:
        os.environ["BOATHOUSE_HOME"] = str(engines.home.path)
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "workspace.settings")
        import django

        django.setup()
        measure(many, rounds)


def measure(many: int, rounds: int) -> None:
    """All figures, printed."""
    from django.core.management import call_command
    from django.db import connections
    from django.test import Client

    from apps.access.workspaces import create_workspace, find_or_create_person

    call_command("migrate", database="owner", verbosity=0)
    admin = find_or_create_person("admin@example.com")
    workspace = create_workspace("bench", admin=admin)
    with connections["owner"].cursor() as cursor:
        for statement in FILL.split(";\n"):
            if statement.strip():
                cursor.execute(statement, {"workspace": workspace.pk, "many": many})
    browser = Client(SERVER_NAME="127.0.0.1")
    browser.force_login(admin)
    rows: list[tuple[Any, ...]] = []
    for name, key in (("endpoint", "kind=endpoint&id=served"), ("in the middle", f"kind={_middle(workspace, many)}")):
        for depth in (1, 3, 10, 20):
            address = f"/w/bench/lineage?{key}&up={depth}&down={depth}"
            times = [_ask(browser, address) for _ in range(rounds)]
            rows.append((name, depth, f"{1000 * median(took for took, _ in times):.0f}", f"{times[0][1] // 1000}"))
    print(harness.about("django", "psycopg"))
    print(f"\nlineage page, {many} nodes\n{harness.table(('around', 'depth', 'ms', 'kB'), rows)}")


def _middle(workspace: Any, many: int) -> str:
    from apps.access.scope import workspace_scope
    from apps.lineage.models import LineageNode

    with workspace_scope(workspace):
        node = LineageNode.objects.exclude(key="payload").order_by("created_at")[many * 9 // 20]
        return f"{node.kind}&id={node.key}"


def _ask(browser: Any, address: str) -> tuple[float, int]:
    begun = time.perf_counter()
    answer = browser.get(address)
    assert answer.status_code == 200, answer.status_code
    return time.perf_counter() - begun, len(answer.content)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000, int(sys.argv[2]) if len(sys.argv) > 2 else 5)
