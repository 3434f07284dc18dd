"""The only door to git: bare repositories read and changed by fixed command lines, nothing a person typed among the options."""

from . import remotes
from .backend import Answer, ClientGone, Question, ask
from .blame import Stretch, blame
from .export import Exported, export, export_tar
from .objects import Blob, Commit, Diff, Entry, Ref
from .process import FETCH_REQUEST_BYTES, PUSH_BYTES, GitFailed, OutputTooLarge, close, environment, start, stop
from .reading import FILE_VIEW_BYTES, Repository
from .writing import Aside, Edit, Identity, MergeConflict, aside, drop_ref, move_ref

__all__ = [
    "FETCH_REQUEST_BYTES",
    "FILE_VIEW_BYTES",
    "PUSH_BYTES",
    "Answer",
    "Aside",
    "Edit",
    "Identity",
    "MergeConflict",
    "Stretch",
    "aside",
    "blame",
    "drop_ref",
    "move_ref",
    "remotes",
    "ClientGone",
    "Question",
    "ask",
    "Blob",
    "Commit",
    "Diff",
    "Entry",
    "Exported",
    "GitFailed",
    "OutputTooLarge",
    "Ref",
    "Repository",
    "close",
    "environment",
    "export",
    "export_tar",
    "start",
    "stop",
]
