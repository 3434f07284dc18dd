"""Pages of access, by what they are about; addresses of resources for the pages of other rooms."""

from __future__ import annotations

from django.http import HttpRequest

from apps.access.kinds import get_kind
from apps.access.models import Resource
from apps.foundation.pages import page_url


def share_url(request: HttpRequest, resource: Resource) -> str:
    """The address of a resource's Share dialog."""
    return page_url(request, "access:share", resource_id=resource.pk)


def resource_url(request: HttpRequest, resource: Resource) -> str:
    """The address of a resource's own page."""
    kind = get_kind(resource.kind)
    if kind.page is None:
        return page_url(request, "access:folder", resource_id=resource.pk)
    return f"/w/{request.actor.workspace.name}/{kind.page(resource).lstrip('/')}"  # type: ignore[attr-defined]
