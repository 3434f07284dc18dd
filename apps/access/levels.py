"""Levels: how much somebody may do with a resource. Each includes the lower ones."""

from __future__ import annotations

from enum import IntEnum


class Level(IntEnum):
    """discover < view < comment < use < edit < manage."""

    DISCOVER = 1
    VIEW = 2
    COMMENT = 3
    USE = 4
    EDIT = 5
    MANAGE = 6

    @property
    def word(self) -> str:
        """The level as it is written everywhere: `view`."""
        return self.name.lower()

    @classmethod
    def parse(cls, word: str) -> Level:
        """The level called `word`. Raises KeyError for any other word."""
        return cls[word.upper()]


SENTENCES = {
    Level.DISCOVER: "Sees that it exists and who owns it",
    Level.VIEW: "Reads it",
    Level.COMMENT: "Reads it and takes part in its threads",
    Level.USE: "Runs, queries, scores or builds on it",
    Level.EDIT: "Changes it and what lives inside",
    Level.MANAGE: "Shares, moves and deletes it",
}
