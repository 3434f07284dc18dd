"""What the API shows and takes about repositories."""

from __future__ import annotations

from rest_framework import serializers

from apps.foundation.api import In, Out


class RepoOut(Out):
    id = serializers.UUIDField(source="pk")
    name = serializers.CharField(source="resource.name")
    path = serializers.CharField(source="resource.path")
    description = serializers.CharField(source="resource.description")
    owner = serializers.CharField(source="resource.owner.label", default=None, allow_null=True)
    default_branch = serializers.CharField()
    clone_url = serializers.CharField()
    created_at = serializers.DateTimeField(source="resource.created_at")
    updated_at = serializers.DateTimeField(source="resource.updated_at")


class RepoIn(In):
    name = serializers.CharField(max_length=255)
    parent_id = serializers.UUIDField(required=False)
    parent_path = serializers.CharField(max_length=4000, required=False)
    description = serializers.CharField(max_length=20_000, allow_blank=True, default="")
    default_branch = serializers.CharField(max_length=200, default="main")


class BranchNameIn(In):
    branch = serializers.CharField(max_length=200)


class NewBranchIn(In):
    name = serializers.CharField(max_length=200)
    ref = serializers.CharField(max_length=250, allow_blank=True, default="")


class GoneBranchIn(In):
    name = serializers.CharField(max_length=200)
    commit = serializers.CharField(max_length=40)


class RefIn(In):
    ref = serializers.CharField(max_length=250, allow_blank=True, default="")


class PlaceIn(RefIn):
    path = serializers.CharField(max_length=4096, allow_blank=True, default="", trim_whitespace=False)


class CommitsIn(PlaceIn):
    author = serializers.CharField(max_length=200, allow_blank=True, default="")
    words = serializers.CharField(max_length=200, allow_blank=True, default="")


class DiffIn(In):
    head = serializers.CharField(max_length=250)
    base = serializers.CharField(max_length=250, allow_blank=True, default="")
    path = serializers.CharField(max_length=4096, allow_blank=True, default="", trim_whitespace=False)
    three_dot = serializers.BooleanField(default=False)


class RefOut(Out):
    name = serializers.CharField()
    commit = serializers.CharField()
    subject = serializers.CharField()
    author = serializers.CharField()
    at = serializers.DateTimeField(allow_null=True)


class BranchOut(RefOut):
    is_default = serializers.BooleanField()
    ahead = serializers.IntegerField(allow_null=True)
    behind = serializers.IntegerField(allow_null=True)


class CommitOut(Out):
    sha = serializers.CharField()
    parents = serializers.ListField(child=serializers.CharField())
    author_name = serializers.CharField()
    author_email = serializers.CharField()
    authored_at = serializers.DateTimeField(allow_null=True)
    committer_name = serializers.CharField()
    committed_at = serializers.DateTimeField(allow_null=True)
    subject = serializers.CharField()
    body = serializers.CharField()


class EntryOut(Out):
    name = serializers.CharField()
    path = serializers.CharField()
    kind = serializers.CharField()
    mode = serializers.CharField()
    sha = serializers.CharField()
    size_bytes = serializers.IntegerField(allow_null=True)


class BlobOut(Out):
    path = serializers.CharField(source="entry.path")
    sha = serializers.CharField(source="entry.sha")
    size_bytes = serializers.IntegerField(source="entry.size_bytes")
    is_binary = serializers.BooleanField()
    is_cut = serializers.BooleanField()
    text = serializers.CharField()


class LineOut(Out):
    kind = serializers.CharField()
    old = serializers.IntegerField(allow_null=True)
    new = serializers.IntegerField(allow_null=True)
    text = serializers.CharField()


class HunkOut(Out):
    old_start = serializers.IntegerField()
    new_start = serializers.IntegerField()
    heading = serializers.CharField()
    lines = LineOut(many=True)


class FileDiffOut(Out):
    path = serializers.CharField()
    old_path = serializers.CharField()
    status = serializers.CharField()
    old_mode = serializers.CharField()
    new_mode = serializers.CharField()
    additions = serializers.IntegerField(allow_null=True)
    deletions = serializers.IntegerField(allow_null=True)
    is_binary = serializers.BooleanField()
    is_cut = serializers.BooleanField()
    hunks = HunkOut(many=True)


class ChangeOut(Out):
    base = serializers.CharField()
    head = CommitOut()
    file_count = serializers.IntegerField(source="diff.file_count")
    is_cut = serializers.BooleanField(source="diff.is_cut")
    files = FileDiffOut(many=True, source="diff.files")


class MoveOut(Out):
    ref = serializers.CharField()
    old = serializers.CharField()
    new = serializers.CharField()


class PushOut(Out):
    id = serializers.UUIDField()
    user = serializers.CharField(source="user.label", default=None, allow_null=True)
    started_at = serializers.DateTimeField()
    settled_at = serializers.DateTimeField(allow_null=True)
    moved = MoveOut(many=True)


class BlamedOut(Out):
    sha = serializers.CharField(source="origin.sha")
    author_name = serializers.CharField(source="origin.author_name")
    at = serializers.DateTimeField(source="origin.at", allow_null=True)
    subject = serializers.CharField(source="origin.subject")
    number = serializers.IntegerField()
    lines = serializers.ListField(child=serializers.CharField(trim_whitespace=False))


class DraftOut(Out):
    path = serializers.CharField()
    kind = serializers.CharField()
    size_bytes = serializers.IntegerField()
    saved_at = serializers.DateTimeField()


class WorktreeOut(Out):
    branch = serializers.CharField()
    commit = serializers.CharField()
    hosted = serializers.CharField()
    ahead = serializers.IntegerField()
    behind = serializers.IntegerField()
    changes = DraftOut(many=True)


class ItemOut(Out):
    name = serializers.CharField()
    path = serializers.CharField()
    kind = serializers.CharField()
    mark = serializers.CharField()
    size_bytes = serializers.IntegerField(allow_null=True)


class WorkFileOut(Out):
    path = serializers.CharField()
    version = serializers.CharField()
    mode = serializers.CharField()
    size_bytes = serializers.IntegerField()
    is_binary = serializers.BooleanField()
    is_cut = serializers.BooleanField()
    mark = serializers.CharField()
    text = serializers.CharField(trim_whitespace=False)


class SavedOut(Out):
    path = serializers.CharField()
    version = serializers.CharField()
    mark = serializers.CharField()
    changes = serializers.IntegerField()


class PathIn(In):
    path = serializers.CharField(max_length=4096, allow_blank=True, default="", trim_whitespace=False)


class SaveIn(In):
    path = serializers.CharField(max_length=4096, trim_whitespace=False)
    text = serializers.CharField(allow_blank=True, required=False, trim_whitespace=False)
    content_base64 = serializers.CharField(allow_blank=True, required=False)
    version = serializers.CharField(max_length=64, allow_blank=True, allow_null=True, default=None)


class RenameIn(In):
    path = serializers.CharField(max_length=4096, trim_whitespace=False)
    to = serializers.CharField(max_length=4096, trim_whitespace=False)


class PathsIn(In):
    paths = serializers.ListField(
        child=serializers.CharField(max_length=4096, trim_whitespace=False), max_length=2000, allow_empty=False
    )


class CommitIn(In):
    message = serializers.CharField(max_length=20_000)
    paths = serializers.ListField(
        child=serializers.CharField(max_length=4096, trim_whitespace=False), max_length=2000, required=False
    )
    clear_outputs = serializers.BooleanField(default=False)


class SwitchIn(In):
    branch = serializers.CharField(max_length=200)
    create = serializers.BooleanField(default=False)
    keep = serializers.BooleanField(default=False)


class CloneIn(In):
    name = serializers.CharField(max_length=255)
    url = serializers.CharField(max_length=2000)
    username = serializers.CharField(max_length=200, allow_blank=True, default="")
    password = serializers.CharField(max_length=4000, allow_blank=True, default="", trim_whitespace=False)
    parent_id = serializers.UUIDField(required=False)
    parent_path = serializers.CharField(max_length=4000, required=False)
    description = serializers.CharField(max_length=20_000, allow_blank=True, default="")


class ChangeRemoteIn(In):
    url = serializers.CharField(max_length=2000)
    username = serializers.CharField(max_length=200, allow_blank=True, default="")
    password = serializers.CharField(
        max_length=4000, allow_blank=True, allow_null=True, default=None, trim_whitespace=False
    )


class RemoteOut(Out):
    url = serializers.CharField()
    username = serializers.CharField()
    has_password = serializers.BooleanField()
    fetched_at = serializers.DateTimeField(allow_null=True)


class SyncOut(Out):
    id = serializers.UUIDField()
    kind = serializers.CharField()
    state = serializers.CharField()
    user = serializers.CharField(source="user.label", default=None, allow_null=True)
    phase = serializers.CharField()
    percent = serializers.IntegerField(allow_null=True)
    error = serializers.CharField()
    log = serializers.CharField()
    created_at = serializers.DateTimeField()
    ended_at = serializers.DateTimeField(allow_null=True)
