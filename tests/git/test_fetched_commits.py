"""Repositories are asked and read with real git: refs, trees, files, and what is kept out."""

from __future__ import annotations

import random
import stat
import subprocess
import tempfile
from pathlib import Path

import pytest

from aifactory_hub.domain.git_refs import BadRefs, read_refs, watched
from aifactory_hub.git import (
    CommitMissing,
    GitFailed,
    GitLimits,
    GitRefused,
    Remote,
    changed_paths,
    check_remote,
    fetched,
    is_forced,
    ls_remote,
)
from aifactory_hub.git.process import run, scratch, start

from ..support.repositories import Repository

LIMITS = GitLimits()


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository.at(tmp_path / "repositories")


def remote(repository: Repository) -> Remote:
    return check_remote(str(repository.bare), [], folders=[str(repository.bare.parent)])


def test_refs_are_seen_with_the_commit_behind_an_annotated_tag(repository: Repository) -> None:
    first = repository.commit({"a": "1"})
    repository.git("tag", "-a", "-m", "one", "v1")
    repository.git("tag", "plain")
    repository.push("main", "v1", "plain")
    refs = ls_remote(remote(repository), LIMITS)
    assert {name: ref.commit for name, ref in refs.items()} == {
        "refs/heads/main": first,
        "refs/tags/v1": first,
        "refs/tags/plain": first,
    }
    assert refs["refs/tags/v1"].object_id != first
    assert set(watched(refs.values(), ["main"], ["v*"])) == {"refs/heads/main", "refs/tags/v1"}


def test_files_are_read_with_their_names_and_what_does_not_travel_is_named(repository: Repository) -> None:
    (repository.clone / "run.sh").write_text("#!/bin/sh\n")
    (repository.clone / "run.sh").chmod(0o755)
    (repository.clone / "passwd").symlink_to("/etc/passwd")
    big = bytes(range(256)) * 4096
    commit = repository.commit({"data/big.bin": big, "ünïcode name": "x", "empty": "", "a\nb": "newline"})
    repository.push()
    with fetched(remote(repository), commit, LIMITS) as found:
        tree = found.tree()
        files = {file.name: (file.executable, b"".join(found.content(file))) for file in tree.files}
        assert files == {
            "data/big.bin": (False, big),
            "empty": (False, b""),
            "run.sh": (True, b"#!/bin/sh\n"),
            "ünïcode name": (False, b"x"),
        }
        assert dict(tree.left) == {
            "passwd": "a symbolic link",
            "a\\nb": "it has the character U+000A, which can't be printed",
        }
        assert found.facts().author == "ann@example.org" and found.facts().message.strip() == "work"
        manifest = found.manifest_file(tree.files[0])
        assert (manifest.size, len(manifest.sha256)) == (len(big), 64)


def test_changed_files_are_those_of_the_trees_also_after_history_was_rewritten(repository: Repository) -> None:
    first = repository.commit({"a": "1", "b": "1"})
    repository.push()
    for number in range(30):
        repository.commit({"b": str(number)})
    second = repository.commit({"c": "1"})
    repository.push()
    assert changed_paths(remote(repository), first, second, LIMITS) == frozenset({"b", "c"})
    assert is_forced(remote(repository), first, second, LIMITS) is False
    repository.git("reset", "--quiet", "--hard", first)
    other = repository.commit({"a": "2"})
    repository.push(force=True)
    assert changed_paths(remote(repository), second, other, LIMITS) == frozenset({"a", "b", "c"})
    assert is_forced(remote(repository), second, other, LIMITS) is True


def test_a_commit_that_is_gone_is_not_known_and_a_host_that_is_away_is_another_thing(repository: Repository) -> None:
    commit = repository.commit({"a": "1"})
    repository.push()
    gone = "1" * 40
    assert changed_paths(remote(repository), gone, commit, LIMITS) is None
    assert is_forced(remote(repository), gone, commit, LIMITS) is True
    with pytest.raises(CommitMissing), fetched(remote(repository), gone, LIMITS):
        pass
    repository.bare.rename(repository.bare.with_name("away.git"))
    with pytest.raises(GitFailed) as caught:
        changed_paths(remote(repository), gone, commit, LIMITS)
    assert not isinstance(caught.value, CommitMissing)


@pytest.mark.parametrize("commit", ["", "main", "--upload-pack=touch x", "0" * 39, "g" * 40, "0" * 41])
def test_only_ids_of_commits_are_fetched(repository: Repository, commit: str) -> None:
    with pytest.raises(GitRefused, match="is not the id of a commit"), fetched(remote(repository), commit, LIMITS):
        pass


def test_what_is_too_large_is_refused_and_nothing_stays(repository: Repository) -> None:
    noise = random.Random(1).randbytes(3 * 2**20)
    commit = repository.commit({"noise": noise})
    repository.push()
    small = GitLimits(size=2**20)
    with pytest.raises(GitRefused, match="larger than 1 MiB"), fetched(remote(repository), commit, small):
        pass
    assert not list(Path(tempfile.gettempdir()).glob("aifactory-git-*/repository/objects/pack/tmp_pack*"))


def test_what_takes_too_long_is_ended_with_all_that_it_started(tmp_path: Path) -> None:
    with scratch() as folder:
        slow = GitLimits(seconds=0.3)
        alias = ["-c", f"alias.wait=!sleep 30 & echo $! > {folder}/pid; wait", "wait"]
        with pytest.raises(GitFailed, match=r"did not end within 0.3 s"):
            run(alias, folder, slow)
        pid = int((folder / "pid").read_text())
        state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False)
        assert state.stdout.strip()[:1] in ("", "Z")


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://git.example.org/a", "it is not https"),
        ("ssh://git.example.org/a", "it is not https"),
        ("git@git.example.org:a", "it is not https"),
        ("ext::sh -c id", "it is not https"),
        ("file:///srv/a", "it is not https"),
        ("https://other.example.org/a", "other.example.org is not among this site's Git hosts: git.example.org"),
        ("https://git.example.org:8443/a", "git.example.org:8443 is not among"),
        ("https://me:secret@git.example.org/a", "it carries a user name or password"),
        ("https://git.example.org/a?x", "write the address of the repository alone"),
        ("https://git.example.org/a#x", "write the address of the repository alone"),
        ("https://git.example.org", "its path has characters"),
        ("https://git.example.org/a b", "its path has characters"),
        ("https://git.example.org/../a", "its path has characters"),
        ("https://[::1]/a", "write the address of the repository alone"),
        ("/etc", "repositories in folders of this machine are not read here"),
        ("/srv/git/../../etc", "its path has characters"),
        ("/srv/gitevil/a", "repositories in folders of this machine are not read here"),
        ("--upload-pack=x", "it is not https"),
        ("https://git.example.org/" + "a" * 1000, "characters, and at most 1000"),
        ("", "it is not https"),
    ],
)
def test_only_repositories_of_the_site_s_hosts_are_asked(url: str, said: str) -> None:
    with pytest.raises(GitRefused) as caught:
        check_remote(url, ["git.example.org"], folders=["/srv/git"])
    assert said in str(caught.value)


def test_addresses_that_are_in_order() -> None:
    assert check_remote("https://git.example.org/team/a.git", ["git.example.org"]).protocol == "https"
    assert check_remote("/srv/git/a.git", [], folders=["/srv/git"]).url == "file:///srv/git/a.git"
    assert check_remote("http://127.0.0.1:3000/a", ["127.0.0.1:3000"], protocols=("http",)).protocol == "http"


def test_the_credential_is_neither_in_arguments_nor_on_disk_nor_shown() -> None:
    one = check_remote("https://git.example.org/a", ["git.example.org"], user="bot", token="s3cret")
    assert "s3cret" not in repr(one)
    with scratch() as folder:
        process = start(["version"], folder, LIMITS, one)
        try:
            argv = Path(f"/proc/{process.pid}/cmdline").read_bytes()
            assert b"s3cret" not in argv and b"czNjcmV0" not in argv
            assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        finally:
            process.communicate()
        assert [path for path in folder.rglob("*") if path.is_file()] == []


def test_no_configuration_of_the_machine_or_of_a_home_counts(
    repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / ".gitconfig").write_text(f'[url "{tmp_path}/elsewhere"]\n  insteadOf = file://{repository.bare}\n')
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "nowhere"))
    repository.commit({"a": "1"})
    repository.push()
    assert set(ls_remote(remote(repository), LIMITS)) == {"refs/heads/main"}


def test_another_protocol_than_the_checked_one_is_refused_by_git_itself(repository: Repository) -> None:
    repository.commit({"a": "1"})
    repository.push()
    with pytest.raises(GitFailed, match="not allowed"):
        ls_remote(Remote(f"file://{repository.bare}", "https"), LIMITS)
    with pytest.raises(GitFailed, match="not allowed"):
        ls_remote(Remote("ext::sh -c touch%20/tmp/evil", "file"), LIMITS)


@pytest.mark.parametrize("text", ["x\trefs/heads/a", "0" * 40, "0" * 40 + " refs/heads/a", "\x00"])
def test_a_list_that_is_not_one_of_git_s_is_refused(text: str) -> None:
    with pytest.raises(BadRefs):
        read_refs(text)


def test_more_refs_than_can_be_watched_are_refused() -> None:
    refs = read_refs("\n".join(f"{'0' * 40}\trefs/heads/b{number}" for number in range(1001)))
    with pytest.raises(BadRefs, match="1001 branches and tags fit the trigger, and at most 1000 are watched"):
        watched(refs.values(), ["*"], [])
    assert len(watched(refs.values(), ["b1"], [])) == 1
