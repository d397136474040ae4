"""The built files of the Jobs page: a script and a style sheet, whose names hold a digest of their content."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

_MEDIA_TYPES = {".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8"}
_PACKAGE = Path(__file__).resolve().parents[1]
_NAME = re.compile(r"[a-z]+\.[0-9a-f]{16}\.(?:js|css)")


@dataclass(frozen=True, slots=True)
class PageFile:
    """One of them."""

    media_type: str
    content: bytes


@dataclass(frozen=True, slots=True)
class PageFiles:
    """All of them by name; ``script`` and ``style`` are the names of the two that the page begins with."""

    script: str
    style: str
    files: Mapping[str, PageFile] = field(default_factory=dict)


def find_page_files(package: Path = _PACKAGE) -> Path | None:
    """Their folder: that of this checkout, or where pip put the wheel's; None when there is neither."""
    checkout = package.parent / "labextension"
    if (checkout / "build.py").exists():
        wanted = [checkout / "built/page"]
    else:
        wanted = [parent / "share/aifactory-hub/page" for parent in package.parents]
    return next((folder for folder in wanted if (folder / "page.json").exists()), None)


def read_page_files(folder: Path | None) -> PageFiles | None:
    """All of them; None when the page has not been built. Raises ValueError for what is no build of it."""
    if folder is None:
        return None
    names = json.loads((folder / "page.json").read_text())
    wanted = [names["script"], names["style"]]
    for name in wanted:
        if _NAME.fullmatch(name) is None:
            raise ValueError(f"{folder}/page.json names {name!r}, which is no file of the Jobs page: build it again")
    files = {name: PageFile(_MEDIA_TYPES[Path(name).suffix], (folder / name).read_bytes()) for name in wanted}
    return PageFiles(names["script"], names["style"], files)
