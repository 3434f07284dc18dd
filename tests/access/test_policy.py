"""May they: levels, inheritance, groups, expiry, owners, and the words of refusal."""

from __future__ import annotations

from datetime import timedelta

import pytest

from apps.access import grants, operations
from apps.access.levels import Level
from apps.access.models import Resource
from apps.access.policy import authorise, explain, fetch, level_of, visible
from apps.access.resources import root_resource
from apps.access.scope import NoScope, workspace_scope
from apps.access.workspaces import get_group
from apps.foundation.clock import now
from apps.foundation.errors import Conflict, Forbidden, NotFound
from tests.builders import World, a_folder, a_person


def test_private_by_default_and_discoverable_is_not_readable(world: World) -> None:
    folder = a_folder(world.admin)
    ben = a_person(world, "ben@example.com")
    assert level_of(ben, folder) is None
    with pytest.raises(NotFound):
        fetch(Resource, folder.pk, actor=ben)
    operations.share(actor=world.admin, resource=folder, grantee=ben.user, level=Level.DISCOVER)
    with pytest.raises(Forbidden) as refusal:
        fetch(Resource, folder.pk, actor=ben)
    assert refusal.value.needs == "view"
    operations.share(actor=world.admin, resource=folder, grantee=ben.user, level=Level.VIEW)
    assert fetch(Resource, folder.pk, actor=ben) == folder


def test_levels_come_down_from_containers_and_groups_and_end(world: World) -> None:
    folder = a_folder(world.admin)
    inner = a_folder(world.admin, "inner", folder)
    ben = a_person(world, "ben@example.com")
    group = operations.create_group(actor=world.admin, root=root_resource(), name="analysts")
    operations.share(actor=world.admin, resource=folder, grantee=group, level=Level.USE)
    assert level_of(ben, inner) is None
    from apps.access.queries import get_membership

    operations.add_to_group(
        actor=world.admin, root=root_resource(), group=group, membership=get_membership(ben.user_id)
    )
    assert level_of(ben, inner) == Level.USE
    assert [(r.level, r.through, r.group, r.resource) for r in explain(ben, inner)] == [
        (Level.USE, "group", "analysts", folder)
    ]
    assert set(visible(Resource, ben, Level.USE).filter(kind="folder", path__startswith="/plans")) == {folder, inner}
    grants.set_grant(folder, group, Level.USE, by=None, expires_at=now() - timedelta(hours=1))
    assert level_of(ben, inner) is None and explain(ben, inner) == []
    assert not visible(Resource, ben).filter(pk=inner.pk).exists()


def test_makers_own_what_they_make_in_shared(world: World) -> None:
    ben = a_person(world, "ben@example.com")
    shared = Resource.objects.get(path="/Shared")
    mine = a_folder(ben, "mine", shared)
    assert level_of(ben, mine) == Level.MANAGE
    assert visible(Resource, ben, Level.MANAGE).filter(pk=mine.pk).exists()
    with pytest.raises(NotFound):
        a_folder(ben, "not here")


def test_the_neighbour_sees_nothing(world: World) -> None:
    folder = a_folder(world.admin)
    with workspace_scope(world.theirs.workspace):
        with pytest.raises(NotFound):
            fetch(Resource, folder.pk, actor=world.theirs.admin)
        with pytest.raises(NotFound):
            authorise(world.theirs.admin, Level.DISCOVER, folder)
        assert not visible(Resource, world.theirs.admin).filter(pk=folder.pk).exists()


def test_moving_changes_what_counts(world: World) -> None:
    folder, other = a_folder(world.admin), a_folder(world.admin, "other")
    inner = a_folder(world.admin, "inner", folder)
    deep = a_folder(world.admin, "deep", inner)
    ben = a_person(world, "ben@example.com", level=Level.VIEW, on=folder)
    assert level_of(ben, deep) == Level.VIEW
    operations.move_resource(actor=world.admin, resource=inner, parent=other)
    deep.refresh_from_db()
    assert level_of(ben, deep) is None and deep.path == "/other/inner/deep"
    with pytest.raises(Conflict):
        operations.move_resource(actor=world.admin, resource=other, parent=deep)


def test_trash_takes_what_is_below_and_gives_it_back(world: World) -> None:
    folder = a_folder(world.admin)
    inner = a_folder(world.admin, "inner", folder)
    assert operations.trash_resource(actor=world.admin, resource=folder) == 2
    with pytest.raises(NotFound):
        fetch(Resource, inner.pk, actor=world.admin)
    again = a_folder(world.admin)
    with pytest.raises(Conflict):
        operations.restore_resource(actor=world.admin, resource=folder)
    operations.rename_resource(actor=world.admin, resource=again, name="newer")
    operations.restore_resource(actor=world.admin, resource=folder)
    assert fetch(Resource, inner.pk, actor=world.admin) == inner


def test_the_last_admin_stays(world: World) -> None:
    from apps.access.queries import own_membership

    me = own_membership(world.admin)
    for attempt in (
        lambda: operations.suspend_member(actor=world.admin, root=root_resource(), membership=me),
        lambda: operations.remove_member(actor=world.admin, root=root_resource(), membership=me),
        lambda: operations.remove_from_group(
            actor=world.admin, root=root_resource(), group=get_group("admins"), membership=me
        ),
        lambda: operations.unshare(actor=world.admin, resource=root_resource(), grantee=get_group("admins")),
    ):
        with pytest.raises(Conflict):
            attempt()


def test_without_a_scope_there_is_no_query(db: None) -> None:
    with pytest.raises(NoScope):
        Resource.objects.count()
