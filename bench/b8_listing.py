"""B8: the first page and the count of what a viewer may see, beside guardian's get_objects_for_user and the best plain SQL.

    python -m bench.b8_listing [resources] [rounds]

Each resource lies in one of 200 folders and is granted to two of 50 groups; 20 % more grants go to single accounts. Viewers:
narrow (100 grants of their own), typical (5 groups: about a fifth), wide (all groups: everything), folder (one grant above all).
Goals: page <= 2 x the best plain SQL + 1 ms and >= 10 x quicker than guardian; counts exact to 1,000, then "1,000+".
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Any

from bench import harness
from workspace.installation.engines import temporary_engines

PAGE = 50
VIEWERS = ("narrow", "typical", "wide", "folder")

FILL = """
create temp table made as
  select gen_random_uuid() as id, i, now() - random() * interval '365 days' as at from generate_series(1, %(many)s) i;
create temp table folder as select gen_random_uuid() as id, i from generate_series(0, 199) i;
create temp table hall as select gen_random_uuid() as id;
insert into access_resource (id, workspace_id, kind, name, path, parent_id, description, labels, open_to_makers, created_at, updated_at)
  select id, %(workspace)s, 'folder', 'hall', '/hall', %(root)s, '', '{}', false, now(), now() from hall;
insert into access_resource (id, workspace_id, kind, name, path, parent_id, description, labels, open_to_makers, created_at, updated_at)
  select f.id, %(workspace)s, 'folder', 'f' || i, '/hall/f' || i, h.id, '', '{}', false, now(), now() from folder f, hall h;
insert into access_resource (id, workspace_id, kind, name, path, parent_id, description, labels, open_to_makers, created_at, updated_at)
  select m.id, %(workspace)s, 'experiment', 'x' || m.i, '/hall/f' || f.i || '/x' || m.i, f.id, '', '{}', false, m.at, m.at
  from made m join folder f on f.i = m.i %% 200;
insert into access_resourceancestor (workspace_id, resource_id, ancestor_id, depth)
  select %(workspace)s, id, id, 0 from hall union all select %(workspace)s, id, %(root)s, 1 from hall
  union all select %(workspace)s, id, id, 0 from folder union all select %(workspace)s, f.id, h.id, 1 from folder f, hall h
  union all select %(workspace)s, id, %(root)s, 2 from folder union all select %(workspace)s, id, id, 0 from made
  union all select %(workspace)s, m.id, f.id, 1 from made m join folder f on f.i = m.i %% 200
  union all select %(workspace)s, m.id, h.id, 2 from made m, hall h union all select %(workspace)s, id, %(root)s, 3 from made;
insert into access_groupgrant (workspace_id, resource_id, group_id, permission_id, level, created_at)
  select %(workspace)s, m.id, g.group_id, %(permission)s, 2, now()
  from made m cross join lateral (select distinct unnest(array[m.i %% 50, (m.i * 7 + 3) %% 50]) as place) p
  join (select group_id, (row_number() over (order by group_id) - 1)::int as place from unnest(%(groups)s::int[]) group_id) g using (place);
insert into access_usergrant (workspace_id, resource_id, user_id, permission_id, level, created_at)
  select %(workspace)s, m.id, u.user_id, %(permission)s, 2, now()
  from made m join (select user_id, row_number() over () as place from unnest(%(users)s::uuid[]) user_id) u on u.place = m.i %% 200 + 1
  where m.i %% 5 = 0;
insert into access_usergrant (workspace_id, resource_id, user_id, permission_id, level, created_at)
  select %(workspace)s, m.id, %(narrow)s, %(permission)s, 2, now() from made m where m.i %% (%(many)s / 100) = 1;
insert into access_usergrant (workspace_id, resource_id, user_id, permission_id, level, created_at)
  select %(workspace)s, h.id, %(folder)s, %(permission)s, 2, now() from hall h;
"""

# The two ways that hand-written SQL can go: what is granted first, or the newest first.
GRANTED = """select a.resource_id from access_resourceancestor a join access_usergrant g on g.resource_id = a.ancestor_id
    where g.user_id = %(user)s and g.level >= 2
  union select a.resource_id from access_resourceancestor a join access_groupgrant g on g.resource_id = a.ancestor_id
    join access_groupmember m on m.group_id = g.group_id where m.user_id = %(user)s and g.level >= 2"""
PROBE = """(exists (select from access_resourceancestor a join access_usergrant g on g.resource_id = a.ancestor_id
    where a.resource_id = r.id and g.user_id = %(user)s and g.level >= 2)
  or exists (select from access_resourceancestor a join access_groupgrant g on g.resource_id = a.ancestor_id
    join access_groupmember m on m.group_id = g.group_id where a.resource_id = r.id and m.user_id = %(user)s and g.level >= 2))"""
KIND = "r.workspace_id = %(workspace)s and r.kind = 'experiment' and r.deleted_at is null"
NEWEST = "order by r.updated_at desc, r.id desc limit 50"
PLAIN = {
    "merge": (
        f"select r.* from access_resource r where {KIND} and r.id in ({GRANTED}) {NEWEST}",
        f"select count(*) from (select from access_resource r where {KIND} and r.id in ({GRANTED}) limit 1001) x",
    ),
    "walk": (
        f"select r.* from access_resource r where {KIND} and {PROBE} {NEWEST}",
        f"select count(*) from (select from access_resource r where {KIND} and {PROBE} limit 1001) x",
    ),
}


def main(many: int, rounds: int) -> None:
    """Fill a database, measure each viewer, print."""
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

    call_command("migrate", database="owner", verbosity=0)
    workspace, viewers = fill(many)
    print(
        harness.about("django", "django-guardian", "psycopg"), f"PostgreSQL {connections['owner'].pg_version // 10000}"
    )
    pages, counts = [], []
    for name, user in viewers.items():
        page, count = measure_viewer(workspace, user, rounds)
        pages.append((name, *page))
        counts.append((name, *count))
    head = ("", "visible", "ours ms", "plain SQL ms", "guardian ms", "ours - 1 ms / plain", "guardian / ours")
    print(f"\nfirst {PAGE} of {many} by updated_at\n{harness.table(head, pages)}")
    print(f"\ncount, ours and plain exact to 1,000\n{harness.table(head, counts)}")


def fill(many: int) -> tuple[Any, dict[str, Any]]:
    """A workspace with resources and grants, and its viewers by name."""
    from django.contrib.auth.models import Permission
    from django.contrib.contenttypes.models import ContentType
    from django.db import connections

    from apps.access.actor import Actor
    from apps.access.models import GroupMember, Resource
    from apps.access.operations import create_group
    from apps.access.resources import root_resource
    from apps.access.scope import workspace_scope
    from apps.access.workspaces import create_workspace, find_or_create_person, join_workspace

    admin = find_or_create_person("admin@example.com")
    workspace = create_workspace("bench", admin=admin)
    people = [find_or_create_person(f"p{number}@example.com") for number in range(200)]
    viewers = {name: find_or_create_person(f"{name}@example.com") for name in VIEWERS}
    with workspace_scope(workspace):
        root = root_resource()
        actor = Actor(user=admin, workspace=workspace)
        for person in (*people, *viewers.values()):
            join_workspace(person)
        groups = [create_group(actor=actor, root=root, name=f"group {number}") for number in range(50)]
        for name, share in (("typical", groups[:5]), ("wide", groups)):
            for group in share:
                GroupMember(group=group, user=viewers[name]).save()
        permission = Permission.objects.get(content_type=ContentType.objects.get_for_model(Resource), codename="view")
    with connections["owner"].cursor() as cursor:
        values = {
            "many": many, "workspace": workspace.pk, "root": root.pk, "permission": permission.pk, "groups": [group.pk for group in groups],
            "users": [person.pk for person in people], "narrow": viewers["narrow"].pk, "folder": viewers["folder"].pk,
        }  # fmt: skip
        for statement in FILL.split(";\n"):
            if statement.strip():
                cursor.execute(statement, values)
        cursor.execute("analyze")
    return workspace, viewers


def measure_viewer(workspace: Any, user: Any, rounds: int) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    """(page, count) of one viewer: visible, ours, the better plain SQL, guardian, and the ratios."""
    from django.db import connections

    from apps.access.actor import Actor
    from apps.access.models import Resource
    from apps.access.policy import visible
    from apps.access.scope import workspace_scope
    from apps.foundation.paging import page

    values = {"workspace": workspace.pk, "user": user.pk}
    listed, assign = guardian()
    actor = Actor(user=user, workspace=workspace)

    def plain(statement: str) -> Callable[[], list[Any]]:
        def run() -> list[Any]:
            with connections["owner"].cursor() as cursor:
                cursor.execute(statement, values)
                return cursor.fetchall()

        return run

    def ours() -> Any:
        return visible(Resource.objects.of_kind("experiment"), actor)

    with workspace_scope(workspace):
        seen = ours().count()
        assign(user, ours().values_list("pk", flat=True))
        pages = {
            "ours": lambda: page(ours(), order=("-updated_at", "-id"), size=PAGE).items,
            "guardian": lambda: list(listed(user).order_by("-updated_at", "-id")[:PAGE]),
            **{name: plain(both[0]) for name, both in PLAIN.items()},
        }
        counts = {
            "ours": lambda: ours()[:1001].count(),
            "guardian": lambda: listed(user).count(),
            **{name: plain(both[1]) for name, both in PLAIN.items()},
        }
        assert (
            [row.pk for row in pages["ours"]()]
            == [row[0] for row in pages["walk"]()]
            == [row[0] for row in pages["merge"]()]
        )
        assert [row.pk for row in pages["guardian"]()] == [row[0] for row in pages["walk"]()]
        return tuple(summary(seen, harness.interleaved(cases, rounds)) for cases in (pages, counts))  # type: ignore[return-value]


def summary(seen: int, found: dict[str, harness.Figures]) -> tuple[Any, ...]:
    """One line of the result."""
    best = min(("merge", "walk"), key=lambda name: found[name].median)
    ours, theirs, plain = found["ours"].median, found["guardian"].median, found[best].median
    return seen, ours, f"{plain:.2f} ({best})", theirs, max(0.0, ours - 1) / plain, theirs / ours


def guardian() -> tuple[Callable[[Any], Any], Callable[[Any, Any], None]]:
    """(what guardian lists for an account, how it is told): its generic table, as most installations have it, without groups.

    Our accounts have no groups of Django's, so each object is granted to the account itself: one join less for guardian.
    """
    from django.apps import apps
    from django.contrib.auth.models import Permission
    from django.contrib.contenttypes.models import ContentType
    from django.db import connections, models
    from guardian.models import UserObjectPermission
    from guardian.shortcuts import get_objects_for_user

    try:
        listed = apps.get_model("access", "listed")
    except LookupError:
        fields = {
            "id": models.UUIDField(primary_key=True),
            "kind": models.TextField(),
            "updated_at": models.DateTimeField(),
            "Meta": type("Meta", (), {"app_label": "access", "db_table": "access_resource", "managed": False}),
            "__module__": __name__,
        }
        listed = type("Listed", (models.Model,), fields)
    kind, _ = ContentType.objects.using("owner").get_or_create(app_label="access", model="listed")
    permission, _ = Permission.objects.using("owner").get_or_create(content_type=kind, codename="view_listed")

    def assign(user: Any, ids: Any) -> None:
        rows = [
            UserObjectPermission(
                permission_id=permission.pk, content_type_id=kind.pk, object_pk=str(pk), user_id=user.pk
            )
            for pk in ids
        ]
        UserObjectPermission.objects.using("owner").bulk_create(rows, batch_size=10_000)
        with connections["owner"].cursor() as cursor:
            cursor.execute("analyze guardian_userobjectpermission")

    def listing(user: Any) -> Any:
        options = {"use_groups": False, "with_superuser": False, "accept_global_perms": False}
        return get_objects_for_user(user, "access.view_listed", listed, **options).filter(kind="experiment")

    return listing, assign


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 20_000, int(sys.argv[2]) if len(sys.argv) > 2 else 9)
