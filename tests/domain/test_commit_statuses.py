"""What Git hosts are told of commits, by provider."""

from __future__ import annotations

import pytest

from aifactory_hub.domain.commit_statuses import (
    CommitState,
    CommitStatus,
    NoStatuses,
    run_status,
    shortened,
    status_request,
)
from aifactory_hub.domain.git_hooks import Provider
from aifactory_hub.domain.pipeline_runs import RunState

COMMIT = "a" * 40
LINK = "https://hub.example.org/services/aifactory/pipelines/nlp"


def status(state: CommitState = CommitState.FAILURE, link: str | None = LINK) -> CommitStatus:
    return CommitStatus(COMMIT, "aifactory/fraud", state, "it failed", link)


@pytest.mark.parametrize(
    ("provider", "repository", "url"),
    [
        (Provider.GITHUB, "https://github.com/team/fraud.git", f"https://api.github.com/repos/team/fraud/statuses/{COMMIT}"),
        (Provider.GITHUB, "https://git.example.org/team/fraud", f"https://git.example.org/api/v3/repos/team/fraud/statuses/{COMMIT}"),
        (Provider.GITEA, "https://git.example.org:3000/team/fraud.git", f"https://git.example.org:3000/api/v1/repos/team/fraud/statuses/{COMMIT}"),
        (Provider.GITLAB, "https://git.example.org/group/sub/fraud.git", f"https://git.example.org/api/v4/projects/group%2Fsub%2Ffraud/statuses/{COMMIT}"),
        (Provider.BITBUCKET, "https://bitbucket.org/team/fraud.git", f"https://api.bitbucket.org/2.0/repositories/team/fraud/commit/{COMMIT}/statuses/build"),
        (Provider.BITBUCKET, "https://git.example.org/scm/ML/fraud.git", f"https://git.example.org/rest/api/latest/projects/ML/repos/fraud/commits/{COMMIT}/builds"),
    ],
)  # fmt: skip
def test_each_host_has_its_own_address(provider: Provider, repository: str, url: str) -> None:
    assert status_request(provider, repository, status()).url == url


def test_each_host_has_its_own_words() -> None:
    address = "https://git.example.org/team/fraud"
    gitea = status_request(Provider.GITEA, address, status())
    assert dict(gitea.body) == {
        "state": "failure",
        "context": "aifactory/fraud",
        "description": "it failed",
        "target_url": LINK,
    }
    assert (gitea.header, gitea.scheme) == ("Authorization", "token ")
    gitlab = status_request(Provider.GITLAB, address, status())
    assert (gitlab.body["state"], gitlab.body["name"]) == ("failed", "aifactory/fraud")
    assert (gitlab.header, gitlab.scheme) == ("PRIVATE-TOKEN", "")
    bitbucket = status_request(Provider.BITBUCKET, address, status())
    assert (bitbucket.body["state"], bitbucket.body["key"], bitbucket.body["url"]) == (
        "FAILED",
        "aifactory/fraud",
        LINK,
    )


@pytest.mark.parametrize(
    ("state", "github", "gitlab", "bitbucket"),
    [
        (CommitState.PENDING, "pending", "running", "INPROGRESS"),
        (CommitState.SUCCESS, "success", "success", "SUCCESSFUL"),
        (CommitState.FAILURE, "failure", "failed", "FAILED"),
        (CommitState.ERROR, "error", "canceled", "FAILED"),
    ],
)
def test_a_state_has_each_host_s_name(state: CommitState, github: str, gitlab: str, bitbucket: str) -> None:
    address = "https://git.example.org/team/fraud"
    found = [
        status_request(provider, address, status(state)).body["state"]
        for provider in (Provider.GITHUB, Provider.GITLAB, Provider.BITBUCKET)
    ]
    assert found == [github, gitlab, bitbucket]


def test_without_a_public_address_there_is_no_link_but_where_the_host_wants_one() -> None:
    address = "https://git.example.org/team/fraud"
    assert "target_url" not in status_request(Provider.GITHUB, address, status(link=None)).body
    assert status_request(Provider.BITBUCKET, address, status(link=None)).body["url"] == address


@pytest.mark.parametrize(
    ("provider", "address"), [(Provider.LOCAL, "/srv/git/fraud"), (Provider.GITEA, "https://git.example.org/fraud")]
)
def test_what_is_no_repository_of_a_host_takes_none(provider: Provider, address: str) -> None:
    with pytest.raises(NoStatuses):
        status_request(provider, address, status())


@pytest.mark.parametrize(
    ("state", "reason", "told"),
    [
        (RunState.RUNNING, "step train runs", (CommitState.PENDING, "it runs")),
        (RunState.SUCCEEDED, None, (CommitState.SUCCESS, "it succeeded")),
        (RunState.STOPPED, "accuracy is 0.8", (CommitState.FAILURE, "accuracy is 0.8")),
        (RunState.FAILED, "step train failed", (CommitState.FAILURE, "step train failed")),
        (RunState.CANCELLED, None, (CommitState.ERROR, "it was cancelled")),
    ],
)
def test_a_run_s_end_is_told_with_its_reason(
    state: RunState, reason: str | None, told: tuple[CommitState, str]
) -> None:
    assert run_status(state, reason) == told
    assert told[0].final is state.final


def test_a_description_is_one_line_that_github_takes() -> None:
    assert shortened("a\n b") == "a b"
    assert len(shortened("word " * 100)) == 140
