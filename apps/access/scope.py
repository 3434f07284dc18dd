"""No workspace scope, no query.

`workspace_scope` is opened in five doors only (request, socket, task base class, management command, test fixture). Inside it
managers filter by the workspace and PostgreSQL's row-level security does the same again; outside, managers raise.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, ClassVar

from django.db import connection, models, transaction

if TYPE_CHECKING:
    from apps.access.models import Workspace

_current: ContextVar[Workspace | None] = ContextVar("boathouse_workspace", default=None)


class NoScope(RuntimeError):
    """A query without a workspace. Open workspace_scope() in the door through which this work came in."""


class Stranger(RuntimeError):
    """A row of one workspace was about to be tied to another."""


def current_workspace() -> Workspace:
    """The workspace of this scope. Raises NoScope outside one."""
    workspace = _current.get()
    if workspace is None:
        raise NoScope(NoScope.__doc__)
    return workspace


def has_scope() -> bool:
    """Whether a workspace scope is open here."""
    return _current.get() is not None


@contextmanager
def workspace_scope(workspace: Workspace) -> Iterator[Workspace]:
    """Everything inside sees this workspace only, in one transaction. Rows are read inside, answers may stream after."""
    outer = _current.get()
    with transaction.atomic():
        _set_local(workspace.pk)
        token = _current.set(workspace)
        try:
            yield workspace
        finally:
            _current.reset(token)
    if connection.in_atomic_block and not connection.needs_rollback:
        _set_local(outer.pk if outer else "")


def _set_local(workspace_id: object) -> None:
    # Local, so that a pooled connection never carries a workspace into the next request.
    with connection.cursor() as cursor:
        cursor.execute("select set_config('boathouse.workspace', %s, true)", [str(workspace_id)])


class ScopedManager(models.Manager["Any"]):
    """Rows of the current workspace. Raises NoScope outside a scope."""

    def get_queryset(self) -> models.QuerySet[Any]:
        return super().get_queryset().filter(workspace_id=current_workspace().pk)

    def none(self) -> models.QuerySet[Any]:
        return super().get_queryset().none()

    def bulk_create(self, objs: Iterable[Any], *args: Any, **kwargs: Any) -> list[Any]:
        rows = list(objs)
        for row in rows:
            row.stamp()
        return super().get_queryset().bulk_create(rows, *args, **kwargs)


class WorkspaceModel(models.Model):
    """A row that belongs to one workspace: stamped on save, refused when it ties two workspaces together."""

    workspace = models.ForeignKey(
        "access.Workspace", on_delete=models.CASCADE, related_name="+", editable=False, db_index=False
    )

    objects: ClassVar[Any] = ScopedManager()

    class Meta:
        abstract = True

    def stamp(self) -> None:
        """Set the workspace of a new row and check it and its loaded neighbours. Raises Stranger."""
        workspace_id = current_workspace().pk
        if self.workspace_id is None:
            self.workspace_id = workspace_id
        if self.workspace_id != workspace_id:
            raise Stranger(f"{type(self).__name__} of another workspace")
        for field in self._meta.concrete_fields:
            if isinstance(field, models.ForeignKey) and field.is_cached(self):
                other = field.get_cached_value(self)
                if isinstance(other, WorkspaceModel) and other.workspace_id != workspace_id:
                    raise Stranger(f"{type(self).__name__}.{field.name} points into another workspace")

    def save(self, *args: Any, **kwargs: Any) -> None:
        self.stamp()
        super().save(*args, **kwargs)
