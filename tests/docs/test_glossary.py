"""Names of the code use the words of docs/glossary.md, and none of those that it retires."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = ("aifactory_hub", "spawner/aifactory_spawner", "profiles/aifactory_profiles")
# Migrations name columns as they were when they were written.
NOT_OURS_TO_NAME = ("store/migrations/",)
ROW = re.compile(r"(?m)^\| \*\*(?P<word>[^*]+)\*\* \|[^|]+\| (?P<retired>[^|]*) ?\|$")


def retired() -> dict[str, str]:
    """Each retired word, and the one to use instead."""
    rows = ROW.finditer((ROOT / "docs/glossary.md").read_text())
    return {word.strip(): row["word"] for row in rows for word in row["retired"].split(",") if word.strip()}


def words_of(name: str) -> set[str]:
    """``MemoryPipeline`` and ``memory_pipelines`` have the words memory and pipeline."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()
    parts = set(spaced.strip("_").split("_"))
    return parts | {part.removesuffix("s") for part in parts}


def names_in(file: Path) -> Iterator[tuple[int, str]]:
    """Names that the file defines, with their lines: the module's own, classes, functions, parameters, variables."""
    yield 1, file.stem
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.lineno, node.name
        elif isinstance(node, ast.arg):
            yield node.lineno, node.arg
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.lineno, node.id
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.lineno, node.attr


def test_no_name_in_the_code_has_a_retired_word() -> None:
    instead = retired()
    assert {"agenda", "patience", "outlook"} <= instead.keys(), "the glossary's table is not read as it should be"
    wrong = [
        f"{file.relative_to(ROOT)}:{line} {name}: say {', '.join(sorted({instead[w] for w in found}))}"
        for package in PACKAGES
        for file in sorted((ROOT / package).rglob("*.py"))
        if not any(part in file.as_posix() for part in NOT_OURS_TO_NAME)
        for line, name in names_in(file)
        if (found := words_of(name) & instead.keys())
    ]
    assert not wrong, "\n" + "\n".join(wrong)


def test_a_retired_word_is_found(tmp_path: Path) -> None:
    file = tmp_path / "news.py"
    file.write_text("class MemoryAgendas:\n    def ask(self, patience): self.outlook = 1\n")
    found = {word for _, name in names_in(file) for word in words_of(name) & retired().keys()}
    assert found == {"agenda", "patience", "outlook"}
