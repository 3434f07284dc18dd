"""Tables of the access room, by noun."""

from apps.access.models.audit import AuditEntry
from apps.access.models.grants import GrantPeriod, GroupGrant, UserGrant
from apps.access.models.idempotency import IdempotentAnswer
from apps.access.models.people import LoginFailure, Session, SignInLink, User
from apps.access.models.requests import AccessRequest
from apps.access.models.resources import Resource, ResourceAncestor
from apps.access.models.tokens import Token
from apps.access.models.usage import StorageUse
from apps.access.models.workspaces import Group, GroupMember, Membership, Workspace

__all__ = [
    "AccessRequest",
    "AuditEntry",
    "GrantPeriod",
    "Group",
    "GroupGrant",
    "GroupMember",
    "IdempotentAnswer",
    "LoginFailure",
    "Membership",
    "Resource",
    "ResourceAncestor",
    "Session",
    "SignInLink",
    "StorageUse",
    "Token",
    "User",
    "UserGrant",
    "Workspace",
]
