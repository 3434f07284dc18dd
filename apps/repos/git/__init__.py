"""The only door to git: bare repositories read and changed by fixed command lines, nothing a person typed among the options."""

from .export import Exported, export
from .process import GitFailed, OutputTooLarge, close, environment, start, stop
from .reading import Blob, Commit, Diff, Entry, Ref, Repository

__all__ = [
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
    "start",
    "stop",
]
