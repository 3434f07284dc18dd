"""The only door to git: bare repositories read and changed by fixed command lines, nothing a person typed among the options."""

from .backend import Answer, ClientGone, Question, ask
from .export import Exported, export, export_tar
from .process import FETCH_REQUEST_BYTES, PUSH_BYTES, GitFailed, OutputTooLarge, close, environment, start, stop
from .reading import Blob, Commit, Diff, Entry, Ref, Repository

__all__ = [
    "FETCH_REQUEST_BYTES",
    "PUSH_BYTES",
    "Answer",
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
