"""What somebody reaches, in SQL that stays quick for narrow and wide viewers alike: policy.visible is built of it.

Two ways to the same rows. Who reaches little: gather the ids first. Who reaches much: ask about each row in turn, so that a
page is full after a few. Both only look inside the workspace of the scope: the tables' walls see to that.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import BooleanField, Func

from apps.access.actor import Actor
from apps.access.levels import Level

# Up to so many resources are gathered. More would cost more than asking about the rows of a page.
FEW = 2000

_LIVE = "g.level >= %(level)s and (g.expires_at is null or g.expires_at > now())"
_PLACES = f"""
    select g.resource_id from access_usergrant g where g.user_id = %(user)s and {_LIVE}
    union all select g.resource_id from access_groupgrant g where g.group_id = any(%(groups)s) and {_LIVE}
    union all select o.id from access_resource o where o.owner_id = %(user)s"""
_ROOT = "(select id from access_resource where workspace_id = %(workspace)s and kind = 'workspace')"
_MEASURE = f"""
    with mine as materialized (select group_id from access_groupmember where user_id = %(user)s),
    places as not materialized ({_PLACES.replace("any(%(groups)s)", "any(array(select group_id from mine))")})
    select exists (select from places where resource_id = {_ROOT}), array(select group_id from mine),
      (select count(*) from (
        select from places p join access_resourceancestor a on a.ancestor_id = p.resource_id limit {FEW + 1}) few) <= {FEW}"""
_GATHERED = f"""%(row)s = any(array(
    select a.resource_id from access_resourceancestor a where a.ancestor_id in ({_PLACES})))"""
# The offsets keep the planner from answering for all rows at once, which it would choose without knowing of the page's limit.
_PROBED = f"""exists (
    select from access_resourceancestor a where a.resource_id = %(row)s and (
      exists (select from access_usergrant g where g.resource_id = a.ancestor_id and g.user_id = %(user)s and {_LIVE} offset 0)
      or exists (select from access_groupgrant g
        where g.resource_id = a.ancestor_id and g.group_id = any(%(groups)s) and {_LIVE} offset 0)
      or exists (select from access_resource o where o.id = a.ancestor_id and o.owner_id = %(user)s offset 0))
    offset 0)"""


@dataclass(frozen=True)
class Reach:
    """What an actor holds at a level: everything in the workspace, or little or much of it, by grants of their own and of groups."""

    user_id: UUID
    level: int
    groups: tuple[int, ...]
    is_everything: bool
    is_little: bool


def reach_of(actor: Actor, level: Level) -> Reach:
    """How far an actor reaches right now. One statement, bounded whatever they hold."""
    values = {"user": actor.user_id, "level": int(level), "workspace": actor.workspace.pk}
    with connection.cursor() as cursor:
        cursor.execute(_MEASURE, values)
        everything, groups, little = cursor.fetchone()
    assert actor.user_id is not None
    return Reach(actor.user_id, int(level), tuple(groups), everything, little)


class Reaches(Func):
    """A condition on the id of a Resource: that it lies within a reach."""

    output_field = BooleanField()
    conditional = True

    def __init__(self, resource: Any, reach: Reach) -> None:
        super().__init__(resource)
        self.reach = reach

    def as_sql(self, compiler: Any, connection: Any, **_: Any) -> tuple[str, list[Any]]:  # type: ignore[override]
        row, own = compiler.compile(self.source_expressions[0])
        if own:
            raise TypeError("The id is a column.")
        values = {"user": self.reach.user_id, "level": self.reach.level, "groups": list(self.reach.groups)}
        return _positional(_GATHERED if self.reach.is_little else _PROBED, row, values)


def _positional(statement: str, row: str, values: dict[str, Any]) -> tuple[str, list[Any]]:
    """The statement with Django's placeholders, and the values in their order."""
    text, *rest = statement.split("%(")
    parameters = []
    for piece in rest:
        name, _, after = piece.partition(")s")
        text += (row if name == "row" else "%s") + after
        if name != "row":
            parameters.append(values[name])
    return text, parameters
