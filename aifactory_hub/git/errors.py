"""What goes wrong with repositories."""

from __future__ import annotations


class GitRefused(Exception):
    """A repository or what is in it can't be used, however often it is tried; the text says why."""


class GitFailed(Exception):
    """The repository could not be asked now. Nothing may be concluded; try again."""


class CommitMissing(GitFailed):
    """The repository answers, and has no such commit any more."""
