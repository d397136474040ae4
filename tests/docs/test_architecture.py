"""docs/architecture.md names files that exist."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PATH = re.compile(r"`((?:aifactory_hub|spawner|profiles|labextension)/[\w./-]+)`")


def test_every_file_that_the_page_names_is_there() -> None:
    named = PATH.findall((ROOT / "docs/architecture.md").read_text())
    assert len(named) > 20, "the table is not read as it should be"
    assert not [name for name in named if not (ROOT / name).exists()]
