"""The documentation as pages, built in a folder."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mkdocs.commands.build import build
from mkdocs.config import load_config

ROOT = Path(__file__).parents[2]


class _Kept(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.messages.append(record.getMessage())


@contextmanager
def _listening() -> Iterator[list[str]]:
    kept, log = _Kept(), logging.getLogger("mkdocs")
    log.addHandler(kept)
    try:
        yield kept.messages
    finally:
        log.removeHandler(kept)


def build_site(folder: Path) -> list[str]:
    """Build it strictly; returns the warnings. Raises mkdocs' Abort for what is missing from the navigation."""
    with _listening() as warnings:
        build(load_config(str(ROOT / "mkdocs.yml"), site_dir=str(folder)))
    return warnings


def pages(folder: Path) -> list[str]:
    """Paths of the pages below the site's root, the root itself as an empty text."""
    found = (path.parent.relative_to(folder).as_posix() for path in folder.rglob("index.html"))
    return sorted("" if path == "." else f"{path}/" for path in found)
