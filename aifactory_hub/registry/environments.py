"""The environments of ``tenants.yaml``: their lock files read, and what no key alone can tell."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path as FilePath
from typing import Any

from ..domain.environments import Environment, GpuUse, Kind, Needs, State, Version
from .environment_schema import EnvironmentSection, VersionSection
from .problems import Path, Problem, listed, suggest

_BY_DIGEST = re.compile(r"\S+@sha256:[0-9a-f]{64}")
# A line of a lock: ``numpy==2.1.0``, with whatever pip allows after the version.
_PINNED = re.compile(r"(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)(\[[^\]]*\])?==(?P<version>[^\s;\\]+)")
# Bytes; ten thousand packages with their hashes.
_LARGEST_LOCK = 4 * 2**20


def environment_problems(data: Mapping[Any, Any], source: str) -> Iterator[Problem]:
    """Contradictions between the keys of each environment, and locks that can't be read."""
    tenants = list(map(str, _mapping(data.get("tenants"))))
    simulated = _mapping(data.get("cluster")).get("simulated") is True
    for name, said in _mapping(data.get("environments")).items():
        place: Path = ("environments", str(name))
        environment = _mapping(said)
        yield from _teams(environment, place, tenants)
        yield from _command(environment, place)
        for version, each in _mapping(environment.get("versions")).items():
            at = (*place, "versions", str(version))
            known = list(map(str, _mapping(environment.get("versions"))))
            yield from _image(_mapping(each), at, simulated=simulated)
            yield from _standing(_mapping(each), at, str(version), known)
    for place, lock in lock_names(data):
        problem = _lock_problem(FilePath(source).parent / lock)
        if problem is not None:
            yield Problem(place, *problem)


def lock_names(data: Mapping[Any, Any]) -> Iterator[tuple[Path, str]]:
    """The place and the name of each lock file."""
    for name, said in _mapping(data.get("environments")).items():
        for version, each in _mapping(_mapping(said).get("versions")).items():
            lock = _mapping(each).get("lock")
            if isinstance(lock, str) and lock:
                yield ("environments", str(name), "versions", str(version), "lock"), lock


def _teams(environment: Mapping[Any, Any], place: Path, tenants: list[str]) -> Iterator[Problem]:
    teams = environment.get("teams")
    for index, team in enumerate(teams if isinstance(teams, list) else ()):
        if isinstance(team, str) and team not in tenants:
            what = f"there is no tenant {team!r}"
            instead = suggest(team, tenants, f"the tenants are {listed(tenants)}")
            yield Problem((*place, "teams", index), what, instead)
    if teams == []:
        yield Problem((*place, "teams"), "is empty, so no team has it", "name a team, or leave it out for all")


def _command(environment: Mapping[Any, Any], place: Path) -> Iterator[Problem]:
    kind, command = environment.get("kind", "lab"), environment.get("command")
    if kind == "command" and not command:
        instead = 'add for example `command: [streamlit, run, app.py, --server.port, "{port}"]`'
        yield Problem(place, "kind command needs a command", instead)
    if kind != "command" and command:
        yield Problem((*place, "command"), "counts with `kind: command` only", "remove it, or write that kind")
    if kind == "command" and isinstance(command, list) and not any("{port}" in str(word) for word in command):
        yield Problem((*place, "command"), "nothing says where it listens", "put {port} into one of its words")


def _image(version: Mapping[Any, Any], place: Path, *, simulated: bool) -> Iterator[Problem]:
    image = version.get("image")
    if isinstance(image, str) and image and not simulated and not _BY_DIGEST.fullmatch(image):
        what = f"{image} has no digest, so what runs could change under its name"
        yield Problem((*place, "image"), what, "write name@sha256:... as the registry tells it")


def _standing(version: Mapping[Any, Any], place: Path, name: str, known: list[str]) -> Iterator[Problem]:
    state, successor = version.get("state", "current"), version.get("successor")
    if version.get("until") is not None and state != "deprecated":
        yield Problem((*place, "until"), "counts with `state: deprecated` only", "remove it, or write that state")
    if state == "blocked" and not version.get("why"):
        yield Problem(place, "a blocked version needs a reason", "add for example `why: CVE-2026-1234 in torch`")
    if isinstance(successor, str) and (successor == name or successor not in known):
        what = "a version can't follow itself" if successor == name else f"there is no version {successor!r}"
        others = [each for each in known if each != name]
        yield Problem((*place, "successor"), what, suggest(successor, others, f"the others are {listed(others)}"))


def _lock_problem(file: FilePath) -> tuple[str, str] | None:
    try:
        read_lock(file)
    except OSError as error:
        return f"{file} can't be read: {error.strerror}", "name a file that the hub may read"
    except ValueError as error:
        return f"{file}: {error}", "write one `name==version` a line, as `uv pip compile --generate-hashes` does"
    return None


def read_lock(file: FilePath) -> dict[str, str]:
    """The packages of a lock file and their versions; names as PEP 503 writes them. Raises OSError, ValueError."""
    with file.open("rb") as opened:
        content = opened.read(_LARGEST_LOCK + 1)
    if len(content) > _LARGEST_LOCK:
        raise ValueError(f"it has more than {_LARGEST_LOCK // 2**20} MiB")
    found: dict[str, str] = {}
    for number, line in enumerate(content.decode("utf-8").splitlines(), start=1):
        if not line.strip() or line.lstrip().startswith(("#", "-")):
            continue
        match = _PINNED.match(line.strip())
        if match is None:
            raise ValueError(f"line {number} pins no package")
        found[re.sub(r"[-_.]+", "-", match["name"]).lower()] = match["version"]
    return found


def environments_of(sections: Mapping[str, EnvironmentSection], source: str) -> dict[str, Environment]:
    """The environments as values; their locks have been found to be readable."""
    folder = FilePath(source).parent
    return {name: _environment(name, section, folder) for name, section in sections.items()}


def _environment(name: str, section: EnvironmentSection, folder: FilePath) -> Environment:
    needs = section.needs
    return Environment(
        name=name,
        display_name=section.display_name or name,
        kind=Kind(section.kind),
        versions={version: _version(version, each, folder) for version, each in section.versions.items()},
        description=section.description or "",
        needs=Needs(needs.memory, GpuUse(needs.gpu), needs.driver, needs.device_memory),
        teams=None if section.teams is None else tuple(section.teams),
        hooks=tuple(section.hooks.start),
        command=tuple(section.command),
        reports=section.idle_signal == "own" and section.kind != "command",
    )


def _version(name: str, section: VersionSection, folder: FilePath) -> Version:
    return Version(
        name=name,
        image=section.image,
        state=State(section.state),
        until=section.until,
        successor=section.successor,
        why=section.why or "",
        packages=None if section.lock is None else read_lock(folder / section.lock),
    )


def _mapping(value: Any) -> Mapping[Any, Any]:
    return value if isinstance(value, dict) else {}
