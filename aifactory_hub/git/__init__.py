"""The only folder that speaks with Git hosts: ``git`` for refs and commits, shut off from all else, and statuses."""

from .errors import CommitMissing, GitFailed, GitRefused
from .fetched_commits import Fetched, changed_paths, fetched, is_forced
from .process import GitLimits, ls_remote
from .remote import Remote, check_remote
from .statuses import send_status

__all__ = [
    "CommitMissing",
    "Fetched",
    "GitFailed",
    "GitLimits",
    "GitRefused",
    "Remote",
    "changed_paths",
    "check_remote",
    "fetched",
    "is_forced",
    "ls_remote",
    "send_status",
]
