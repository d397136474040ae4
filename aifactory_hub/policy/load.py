"""Reads a folder of rules: all of its problems at once, or a bundle whose rules compile, keep within their limits, and
say to their cases what the cases say."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from ..domain.gates import Bundle, Case, Rule, wrong_case
from ..domain.verdicts import Need
from ..registry.document import read_document
from ..registry.problems import RegistryError, show_path
from .engine import Engine, ExpressionProblem
from .places import Place, Places
from .problems import PolicyError, PolicyProblem
from .samples import laid_over, largest, sample
from .schema import API_VERSION, SEVERITIES, RuleSection, RulesFile, inconsistencies, problems_of

MOST_FILES = 200
MOST_RULES = 500
LARGEST_FILE = 256 * 1024
# Below it a folder for each team that has rules of its own.
TEAMS = "teams"

Files = Mapping[str, str]
KeyPath = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Loaded:
    """A bundle, and the engine that evaluates its rules."""

    bundle: Bundle
    engine: Engine


def load_bundle(folder: str | Path) -> Loaded:
    """The rules in ``folder``. Raises PolicyError with every problem that was found; blocks."""
    return bundle_of(read_folder(folder))


def read_folder(folder: str | Path) -> dict[str, str]:
    """The texts of the folder's files, by their names in it: ``*.yaml`` in itself and in ``teams/<team>``.

    Raises PolicyError when one can't be read, or there are too many.
    """
    root = Path(folder)
    try:
        found = sorted(_files(root))
        if len(found) > MOST_FILES:
            raise PolicyError([PolicyProblem(str(root), f"it has more than {MOST_FILES} files", "join some of them")])
        texts = {file.relative_to(root).as_posix(): _text(file) for file in found}
    except OSError as error:
        what = f"it can't be read: {error.strerror}"
        raise PolicyError(
            [PolicyProblem(str(error.filename or root), what, "name a folder that can be read")]
        ) from error
    if not texts:
        raise PolicyError([PolicyProblem(str(root), "it has no file of rules", "add one whose name ends in .yaml")])
    return texts


def digest_of(files: Files) -> str:
    """One digest for the names and texts of all files; empty where there are none."""
    if not files:
        return ""
    found = hashlib.sha256()
    for name, text in sorted(files.items()):
        for part in (name, text):
            found.update(f"{len(part.encode())}:".encode() + part.encode())
    return found.hexdigest()


def bundle_of(files: Files) -> Loaded:
    """The bundle of these texts by file name. Raises PolicyError."""
    loaded = compiled_of(files)
    pairs = [(rule, case) for rule in loaded.bundle.rules for case in rule.cases]
    failed = [problem for pair in pairs if (problem := try_case(loaded.engine, *pair)) is not None]
    if failed:
        raise PolicyError(failed)
    return loaded


def compiled_of(files: Files) -> Loaded:
    """As bundle_of; no case has been tried."""
    problems: list[PolicyProblem] = []
    rules: dict[str, Rule] = {}
    engine = Engine()
    # The site's own first: a team's rule takes no id of the site's.
    for name, text in sorted(files.items(), key=lambda each: (each[0].startswith(f"{TEAMS}/"), each[0])):
        file = _File(name, text)
        try:
            for path, rule in file.rules():
                first = rules.setdefault(rule.id, rule)
                twice = first is not rule
                problems += [file.problem((*path, "id"), *_repeated(rule, first))] if twice else []
                problems += [] if twice else _compiled(file, path, rule, engine)
        except PolicyError as error:
            problems += error.problems
    if len(rules) > MOST_RULES:
        problems.append(PolicyProblem("", f"there are more than {MOST_RULES} rules", "remove some"))
    if problems:
        raise PolicyError(problems)
    return Loaded(Bundle(digest_of(files), tuple(rules.values())), engine)


def try_case(engine: Engine, rule: Rule, case: Case) -> PolicyProblem | None:
    """Why the rule does not say what its case says that it does; None when it does."""
    wrong = wrong_case(rule, case, engine.evaluate(rule, case.view))
    if wrong is None:
        return None
    what = f"case {case.name!r}: {wrong}"
    return PolicyProblem(rule.source, what, "correct the rule or the case", f"rule {rule.id}", case.line)


def _repeated(rule: Rule, first: Rule) -> tuple[str, str]:
    place = f"{first.source}:{first.line}"
    if rule.owner and not first.owner:
        return f"the site has a rule {rule.id!r} ({place}), which no team's rule replaces", "take another id"
    return f"given twice, first in {place}", "take another id"


def _files(root: Path) -> Iterator[Path]:
    """Names that begin with a dot are the file system's own, such as a mounted ConfigMap's ``..data``."""
    for file in root.iterdir():
        if file.suffix in (".yaml", ".yml") and not file.name.startswith(".") and file.is_file():
            yield file
    teams = root / TEAMS
    for team in sorted(teams.iterdir()) if teams.is_dir() else ():
        if team.is_dir() and not team.name.startswith("."):
            yield from (each for each in team.iterdir() if each.suffix in (".yaml", ".yml") and each.is_file())


def _text(file: Path) -> str:
    with file.open("rb") as opened:
        content = opened.read(LARGEST_FILE + 1)
    if len(content) > LARGEST_FILE:
        what = f"it has more than {LARGEST_FILE // 1024} KiB"
        raise PolicyError([PolicyProblem(str(file), what, "split it into several files")])
    try:
        return content.decode("utf-8").replace("\r\n", "\n").replace("\r", "\n")
    except UnicodeDecodeError as error:
        what = f"byte {error.start} is not UTF-8"
        raise PolicyError([PolicyProblem(str(file), what, "save it as UTF-8")]) from error


class _File:
    """One file of rules, and where in it things stand."""

    def __init__(self, name: str, text: str) -> None:
        self.name = name
        self._text = text
        parts = name.split("/")
        self._team = parts[1] if len(parts) > 2 and parts[0] == TEAMS else ""
        self._places: Places | None = None

    def rules(self) -> Iterator[tuple[KeyPath, Rule]]:
        """The rules and their paths in the file. Raises PolicyError with all that is wrong with its form."""
        data = self._data()
        self._places = Places(self._text)
        try:
            read = RulesFile.model_validate(data)
        except ValidationError as error:
            raise PolicyError(
                self.problem(path, what, instead) for path, what, instead in problems_of(error)
            ) from error
        problems = []
        for index, section in enumerate(read.rules):
            path: KeyPath = ("rules", index)
            problems += [self.problem((*path, *key), *said) for key, *said in inconsistencies(section)]
            problems += [self.problem((*path, *key), *said) for key, *said in self._team_problems(section)]
        if problems:
            raise PolicyError(problems)
        for index, section in enumerate(read.rules):
            yield ("rules", index), self._rule(("rules", index), section)

    def _data(self) -> Any:
        try:
            document = read_document(self._text, self.name)
        except RegistryError as error:
            raise PolicyError(
                PolicyProblem(self.name, each.what, each.instead, show_path(each.path), each.line)
                for each in error.problems
            ) from error
        if document.repeated:
            raise PolicyError(
                PolicyProblem(self.name, each.what, each.instead, show_path(each.path), each.line)
                for each in document.repeated
            )
        if not isinstance(document.data, dict):
            what = "the file is empty" if document.data is None else "the file is not a mapping"
            raise PolicyError([PolicyProblem(self.name, what, f"start with `apiVersion: {API_VERSION}`", line=1)])
        return document.data

    def _team_problems(self, section: RuleSection) -> Iterator[tuple[KeyPath, str, str]]:
        teams = section.scope.teams
        if self._team and teams is not None and teams != [self._team]:
            yield ("scope", "teams"), f"rules in {TEAMS}/{self._team} are about team {self._team} alone", "leave it out"

    def _rule(self, path: KeyPath, section: RuleSection) -> Rule:
        teams = [self._team] if self._team else section.scope.teams or []
        return Rule(
            id=section.id,
            title=section.title.rstrip("."),
            target=section.target,
            severity=SEVERITIES[section.severity],
            holds=section.assert_,
            message=section.message,
            condition=section.when or "",
            variables=section.variables,
            fix=section.fix,
            field=section.field,
            verbs=frozenset(section.verbs or ()),
            teams=frozenset(teams),
            engines=frozenset(section.scope.engines or ()),
            overridable_by=section.overridable_by,
            enforce_from=section.enforce_from,
            needs=tuple(Need(each.role, each.count) for each in section.approval or ()),
            cases=tuple(self._case(path, number, section) for number in range(len(section.cases))),
            owner=self._team,
            source=self.name,
            line=self.place(path).line,
        )

    def _case(self, path: KeyPath, number: int, section: RuleSection) -> Case:
        given = section.cases[number]
        view = laid_over(sample(section.target), given.view)
        line = self.place((*path, "cases", number)).line
        return Case(given.name or f"case {number + 1}", given.expect == "pass", view, given.message, line)

    def place(self, path: KeyPath) -> Place:
        """Where a key stands."""
        return Place(1, 1) if self._places is None else self._places.of(path)

    def problem(self, path: KeyPath, what: str, instead: str) -> PolicyProblem:
        """A problem with what stands at ``path``."""
        place = self.place(path)
        return PolicyProblem(self.name, what, instead, show_path(path), place.line, place.column)

    def problem_within(self, path: KeyPath, problem: ExpressionProblem) -> PolicyProblem:
        """A problem in an expression, at its own place in the file."""
        full = (*path, *problem.key.split("."))
        assert self._places is not None
        place = self._places.within(full, problem.line, problem.column)
        return PolicyProblem(
            self.name, problem.what, "correct the expression", show_path(full), place.line, place.column
        )


def _compiled(file: _File, path: KeyPath, rule: Rule, engine: Engine) -> Iterator[PolicyProblem]:
    """What is wrong with the rule's expressions."""
    try:
        engine.add(rule)
    except ExpressionProblem as problem:
        yield file.problem_within(path, problem)
        return
    strained = engine.strain(rule, largest(rule.target))
    if strained is not None:
        yield file.problem_within(path, strained)
