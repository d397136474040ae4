"""What a Git host is told about a commit: whether the run that it started goes on, and how it ended.

Paths and fields: docs.github.com/rest/commits/statuses, docs.gitlab.com/api/commits, Gitea's own API page
(``/api/swagger``), developer.atlassian.com (Bitbucket Cloud: commit statuses; Data Center: builds).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import quote, urlsplit

from .git_hooks import Provider
from .pipeline_runs import RunState

# GitHub refuses longer descriptions.
_LONGEST = 140
_GITHUB, _BITBUCKET = "github.com", "bitbucket.org"


class CommitState(StrEnum):
    """How a commit stands with a trigger. Stable: answers have it."""

    PENDING = "pending"
    SUCCESS = "success"
    FAILURE = "failure"
    ERROR = "error"

    @property
    def final(self) -> bool:
        """Whether nothing follows."""
        return self is not CommitState.PENDING


@dataclass(frozen=True, slots=True)
class CommitStatus:
    """``context`` tells this status from others of the commit; ``link`` leads to the run, None where the site has no
    public address."""

    commit: str
    context: str
    state: CommitState
    description: str
    link: str | None = None


@dataclass(frozen=True, slots=True)
class StatusRequest:
    """A POST of ``body`` as JSON. ``header`` names the header for the token, ``scheme`` what stands before it."""

    url: str
    body: Mapping[str, str]
    header: str = "Authorization"
    scheme: str = "Bearer "


class NoStatuses(ValueError):
    """Why the host of this repository can't be told."""


_ENDS = {
    RunState.RUNNING: (CommitState.PENDING, "it runs"),
    RunState.SUCCEEDED: (CommitState.SUCCESS, "it succeeded"),
    RunState.STOPPED: (CommitState.FAILURE, "a condition was not met"),
    RunState.FAILED: (CommitState.FAILURE, "it failed"),
    RunState.CANCELLED: (CommitState.ERROR, "it was cancelled"),
}


def run_status(state: RunState, reason: str | None) -> tuple[CommitState, str]:
    """State and description for a run in ``state``."""
    found, words = _ENDS[state]
    return found, shortened(reason) if reason and state is not RunState.RUNNING else words


def shortened(text: str) -> str:
    """One line that every host takes."""
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 3]}..."


def status_request(provider: Provider, repository: str, status: CommitStatus) -> StatusRequest:
    """What is sent for a repository at this https address. Raises NoStatuses."""
    parts = urlsplit(repository)
    path = parts.path.strip("/").removesuffix(".git")
    if provider is Provider.LOCAL or "/" not in path:
        raise NoStatuses("this repository's host takes no commit statuses")
    base = f"{parts.scheme}://{parts.netloc}"
    if provider is Provider.GITLAB:
        return _gitlab(base, path, status)
    if provider is Provider.BITBUCKET:
        return _bitbucket(base, path, status)
    # GitHub and Gitea take the same body. GitHub's own site has its API on a host of its own.
    apis = {Provider.GITEA: f"{base}/api/v1", Provider.GITHUB: f"{base}/api/v3"}
    api = f"{parts.scheme}://api.{_GITHUB}" if parts.netloc == _GITHUB else apis[provider]
    body = {"state": status.state.value, "context": status.context, "description": status.description}
    scheme = "token " if provider is Provider.GITEA else "Bearer "
    return StatusRequest(f"{api}/repos/{quote(path)}/statuses/{status.commit}", _linked(body, status), scheme=scheme)


def _gitlab(base: str, path: str, status: CommitStatus) -> StatusRequest:
    states = {CommitState.FAILURE: "failed", CommitState.ERROR: "canceled", CommitState.PENDING: "running"}
    state = states.get(status.state, status.state.value)
    body = {"state": state, "name": status.context, "description": status.description}
    url = f"{base}/api/v4/projects/{quote(path, safe='')}/statuses/{status.commit}"
    return StatusRequest(url, _linked(body, status), header="PRIVATE-TOKEN", scheme="")


def _bitbucket(base: str, path: str, status: CommitStatus) -> StatusRequest:
    """Cloud and Data Center have other addresses and the same body. Both want a link."""
    ended = {CommitState.SUCCESS: "SUCCESSFUL", CommitState.PENDING: "INPROGRESS"}
    state = ended.get(status.state, "FAILED")
    body = {"key": status.context, "name": status.context, "state": state, "description": status.description}
    body["url"] = status.link or f"{base}/{path}"
    if urlsplit(base).netloc == _BITBUCKET:
        api = f"https://api.{_BITBUCKET}/2.0/repositories/{quote(path)}"
        return StatusRequest(f"{api}/commit/{status.commit}/statuses/build", body)
    *_, project, name = path.split("/")  # https://HOST/scm/PROJECT/NAME.git
    api = f"{base}/rest/api/latest/projects/{quote(project)}/repos/{quote(name)}"
    return StatusRequest(f"{api}/commits/{status.commit}/builds", body)


def _linked(body: dict[str, str], status: CommitStatus) -> dict[str, str]:
    return body if status.link is None else {**body, "target_url": status.link}
