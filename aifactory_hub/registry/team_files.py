"""``tenants.d`` beside ``tenants.yaml``: a file for each team, and both as one text and one document.

A file's name is the team's, and what is in it is what would stand below ``tenants.<name>``. One text of all of them is
what is compared, kept as a copy and read again: a character that no YAML may have stands between two files.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from .document import Document, read_document
from .problems import Path as KeyPath
from .problems import Problem, RegistryError
from .templates import with_templates

FOLDER = "tenants.d"
SUFFIX = ".yaml"
# YAML has no such character, not even in quotes: the parser refuses it.
_BETWEEN = "\x1e"
# Follows the name of a team that people asked for. No team's name has a space.
_GRANTED = " granted"
MOST_FILES = 5000


def join_files(main: str, teams: Mapping[str, str], granted: Mapping[str, str] | None = None) -> str:
    """One text of ``main`` and the texts of teams by name, in the order of names; ``main`` itself without teams.

    ``granted`` are teams that people asked for; where the site itself has a team of that name, the site's counts.
    """
    own = {name: text for name, text in (granted or {}).items() if name not in teams}
    parts = [f"{_BETWEEN}{name}\n{teams[name]}" for name in sorted(teams)]
    return "".join([main, *parts, *(f"{_BETWEEN}{name}{_GRANTED}\n{own[name]}" for name in sorted(own))])


def split_files(text: str) -> tuple[str, dict[str, str]]:
    """What :func:`join_files` joined, granted teams among the others."""
    main, *others = text.split(_BETWEEN)
    named = (each.partition("\n") for each in others)
    return main, {name.removesuffix(_GRANTED): rest for name, _, rest in named}


def granted_names(text: str) -> frozenset[str]:
    """Of a text of :func:`join_files`: the teams that people asked for."""
    heads = (each.partition("\n")[0] for each in text.split(_BETWEEN)[1:])
    return frozenset(head.removesuffix(_GRANTED) for head in heads if head.endswith(_GRANTED))


def split_all(text: str) -> tuple[str, dict[str, str], dict[str, str]]:
    """What :func:`join_files` joined: the main text, the site's teams, and those that people asked for."""
    main, teams = split_files(text)
    granted = granted_names(text)
    own = {name: each for name, each in teams.items() if name not in granted}
    return main, own, {name: each for name, each in teams.items() if name in granted}


def read_granted(folder: Path | None) -> dict[str, str]:
    """The granted teams in a folder that this program wrote itself; none without it. Raises OSError."""
    if folder is None or not folder.is_dir():
        return {}
    files = sorted(each for each in folder.glob(f"*{SUFFIX}") if not each.name.startswith("."))
    return {file.stem: file.read_text(encoding="utf-8") for file in files}


def team_files(file: Path) -> list[Path]:
    """The files of teams beside ``file``, by name; none without the folder. Hidden ones are an editor's or kubelet's.

    Raises RegistryError for a file that would be left out by mistake, and OSError where the folder can't be read.
    """
    folder = file.parent / FOLDER
    if not folder.is_dir():
        return []
    found = sorted(each for each in folder.iterdir() if not each.name.startswith("."))
    problems = [
        replace(Problem((), "a file with another ending is not read", f"name it <team>{SUFFIX}"), file=str(each))
        for each in found
        if each.suffix != SUFFIX
    ]
    problems += [
        replace(Problem((), "its name is not printable", f"name it <team>{SUFFIX}"), file=ascii(str(each)))
        for each in found
        if not each.name.isprintable()
    ]
    if len(found) > MOST_FILES:
        problems.append(Problem((), f"{folder} has more than {MOST_FILES} files", "keep files of teams there only"))
    if problems:
        raise RegistryError(str(file), problems)
    return found


@dataclass(frozen=True, slots=True)
class Documents:
    """``tenants.yaml`` and the teams' own files as one: ``data`` is what they say together."""

    main: Document
    data: Any
    source: str
    teams: Mapping[str, Document] = field(default_factory=dict)
    repeated: tuple[Problem, ...] = ()
    granted: frozenset[str] = frozenset()

    def located(self, problem: Problem) -> Problem:
        """The problem with its file and line."""
        document, path = self._part(problem.path)
        name = None if document is self.main else _name(self.source, problem.path[1])
        return replace(problem, line=document.line(path), file=name)

    def where(self, path: KeyPath) -> str:
        """``line 5``, of tenants.yaml or, with its name, of a team's own file."""
        document, rest = self._part(path)
        line = f"line {document.line(rest)}"
        return line if document is self.main else f"{line} of {FOLDER}/{path[1]}{SUFFIX}"

    def _part(self, path: KeyPath) -> tuple[Document, KeyPath]:
        if len(path) >= 2 and path[0] == "tenants" and (own := self.teams.get(str(path[1]))) is not None:
            return own, path[2:]
        return self.main, path


def read_documents(text: str, source: str) -> Documents:
    """The documents in a text of :func:`join_files`. Raises RegistryError for what is no YAML document."""
    main_text, texts = split_files(text)
    main = read_document(main_text, source)
    there = main.data.get("tenants") if isinstance(main.data, dict) else None
    granted = frozenset(name for name in granted_names(text) if not (isinstance(there, dict) and name in there))
    left_out = granted_names(text) - granted
    teams = {name: read_document(each, _name(source, name)) for name, each in texts.items() if name not in left_out}
    data = with_templates(_merged(main.data, teams))
    return Documents(main, data, source, teams, tuple(_repeated(main, teams, source)), granted)


def _merged(data: Any, teams: Mapping[str, Document]) -> Any:
    """What is no mapping is left as it is: the schema complains of it."""
    there = data.get("tenants") if isinstance(data, dict) else None
    if not teams or not isinstance(data, dict) or not isinstance(there, dict | None):
        return data
    return {**data, "tenants": {**(there or {}), **{name: document.data for name, document in teams.items()}}}


def _repeated(main: Document, teams: Mapping[str, Document], source: str) -> Iterator[Problem]:
    yield from main.repeated
    there = main.data.get("tenants") if isinstance(main.data, dict) else None
    for name, document in teams.items():
        file = _name(source, name)
        if isinstance(there, dict) and name in there:
            what = f"{source} has this team too, in line {main.line(('tenants', name))}"
            yield Problem(("tenants", name), what, "keep one of the two", 1, file)
        yield from (replace(each, path=("tenants", name, *each.path), file=file) for each in document.repeated)


def _name(source: str, team: str | int) -> str:
    return str(Path(source).parent / FOLDER / f"{team}{SUFFIX}")
