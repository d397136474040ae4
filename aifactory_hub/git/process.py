"""Runs ``git`` so that a repository can do no harm: no configuration but ours, one protocol, no redirects, no prompts,
no hooks, limits on time and on the size of files, and nothing secret in arguments or on disk."""

from __future__ import annotations

import base64
import contextlib
import os
import re
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO

from ..domain.git_refs import BRANCHES, TAGS, BadRefs, SeenRef, read_refs
from ..untrusted.texts import escaped
from .errors import CommitMissing, GitFailed, GitRefused
from .remote import Remote

# What the shell limits files by, in bytes.
_BLOCK = 512
_LIMITED = 'ulimit -f "$1" && ulimit -c 0 && shift && exec "$@"'
# Of what git says, in bytes; some 50,000 refs fit.
_MOST_ANSWER = 32 * 2**20
_MOST_REFS = 8 * 2**20
_MOST_SAID = 64 * 1024
_LONGEST_PROBLEM = 300
_FORBIDDEN = re.compile(r"could not read (Username|Password)|Authentication failed|returned error: (401|403)")
_MISSING = re.compile(r"repository '.*' not found|returned error: 404|does not appear to be a git repository")
_NO_COMMIT = re.compile(r"not our ref|unadvertised object|no such remote ref|couldn't find remote ref")
_REDIRECT = re.compile(r"redirect|returned error: 30[1278]")


@dataclass(frozen=True, slots=True)
class GitLimits:
    """``seconds`` for one command; ``size`` of any file that it writes, in bytes."""

    seconds: float = 60.0
    size: int = 320 * 2**20


_CONFIG: Mapping[str, str] = {
    "core.hooksPath": "/dev/null",
    "core.symlinks": "false",
    "core.fsmonitor": "false",
    "credential.helper": "",
    "fetch.recurseSubmodules": "false",
    "gc.auto": "0",
    "maintenance.auto": "false",
    "http.followRedirects": "false",
    "http.lowSpeedLimit": "1000",
    "http.lowSpeedTime": "20",
    "http.proxy": "",
    "protocol.version": "2",
    "transfer.fsckObjects": "true",
    "transfer.bundleURI": "false",
}


def _environment(home: Path, remote: Remote | None) -> dict[str, str]:
    config = dict(_CONFIG)
    if remote is not None and remote.token:
        pair = base64.b64encode(f"{remote.user or 'git'}:{remote.token}".encode()).decode()
        # For this host alone, and in the environment: arguments can be read by every user of the machine.
        config[f"http.{remote.url}.extraHeader"] = f"Authorization: Basic {pair}"
    if remote is not None and remote.ca_file is not None:
        config["http.sslCAInfo"] = remote.ca_file
    numbered: dict[str, str] = {"GIT_CONFIG_COUNT": str(len(config))}
    for number, (name, value) in enumerate(config.items()):
        numbered |= {f"GIT_CONFIG_KEY_{number}": name, f"GIT_CONFIG_VALUE_{number}": value}
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(home),
        "LC_ALL": "C",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ALLOW_PROTOCOL": "" if remote is None else remote.protocol,
        "GIT_NO_LAZY_FETCH": "1",
        "GIT_NO_REPLACE_OBJECTS": "1",
        "GIT_LFS_SKIP_SMUDGE": "1",
        "GIT_ATTR_NOSYSTEM": "1",
        **numbered,
    }


@contextmanager
def scratch() -> Iterator[Path]:
    """An empty folder that goes afterwards, with an empty home in it."""
    with tempfile.TemporaryDirectory(prefix="aifactory-git-", ignore_cleanup_errors=True) as folder:
        home = Path(folder) / "home"
        home.mkdir()
        yield Path(folder)


def start(
    words: Sequence[str],
    folder: Path,
    limits: GitLimits,
    remote: Remote | None = None,
    *,
    output: IO[bytes] | int = subprocess.PIPE,
    errors: IO[bytes] | int = subprocess.DEVNULL,
) -> subprocess.Popen[bytes]:
    """A git process, in a group of its own; with a pipe to it where it answers into one. Its folder comes from
    ``scratch``."""
    argv = ["/bin/sh", "-c", _LIMITED, "git", str(max(1, limits.size // _BLOCK)), "git", *words]
    return subprocess.Popen(
        argv,
        cwd=folder,
        env=_environment(folder / "home", remote),
        stdin=subprocess.PIPE if output == subprocess.PIPE else subprocess.DEVNULL,
        stdout=output,
        stderr=errors,
        start_new_session=True,
    )


def end(process: subprocess.Popen[bytes]) -> None:
    """End it with all that it started, and reap it."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with contextlib.suppress(OSError):
                pipe.close()
    process.wait()


def run(words: Sequence[str], folder: Path, limits: GitLimits, remote: Remote | None = None) -> bytes:
    """What git prints. Raises GitRefused, GitFailed; blocks."""
    # Into a file and not through a pipe: so what it prints is limited as well.
    with tempfile.TemporaryFile(dir=folder) as output, tempfile.TemporaryFile(dir=folder) as errors:
        process = start(words, folder, limits, remote, output=output, errors=errors)
        try:
            process.wait(limits.seconds)
        except subprocess.TimeoutExpired:
            raise GitFailed(f"git did not end within {limits.seconds:g} s") from None
        finally:
            end(process)
        if process.returncode != 0:
            raise _problem(process.returncode, _from(errors, _MOST_SAID), limits)
        answer = _from(output, _MOST_ANSWER + 1)
    if len(answer) > _MOST_ANSWER:
        raise GitRefused(f"it has so much in it that git's list of it has more than {_MOST_ANSWER} bytes")
    return answer


def _from(file: IO[bytes], most: int) -> bytes:
    file.seek(0)
    return file.read(most)


def _problem(code: int, errors: bytes, limits: GitLimits) -> GitFailed | GitRefused:
    """Git's own words are shown to the trigger's team, so only what they are about is passed on."""
    said = errors.decode("utf-8", "replace")
    if code in (-signal.SIGXFSZ, 128 + signal.SIGXFSZ) or "signal 25" in said or "File too large" in said:
        return GitRefused(f"it is larger than {limits.size // 2**20} MiB")
    if _NO_COMMIT.search(said):
        return CommitMissing("the repository has no such commit any more")
    if _FORBIDDEN.search(said):
        return GitFailed("the host refuses the credential, or wants one")
    if _REDIRECT.search(said):
        return GitFailed("the host sends elsewhere: the repository may have been renamed. Correct its address")
    if _MISSING.search(said):
        return GitFailed("there is no such repository, or the credential may not see it")
    lines = [line for line in said.splitlines() if line.startswith(("fatal:", "error:"))]
    return GitFailed(escaped(lines[-1] if lines else f"git ended with {code}")[:_LONGEST_PROBLEM])


def ls_remote(remote: Remote, limits: GitLimits) -> dict[str, SeenRef]:
    """The branches and tags of a repository. Raises GitRefused, GitFailed; blocks."""
    with scratch() as folder:
        words = ["ls-remote", "--quiet", "--", remote.url, f"{BRANCHES}*", f"{TAGS}*"]
        output = run(words, folder, replace(limits, size=_MOST_REFS), remote)
    try:
        return read_refs(output.decode("utf-8", "replace"))
    except BadRefs as error:
        raise GitRefused(str(error)) from error
