"""The demo for the tests in a browser."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from .lab import Demo, running_demo


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """One for all tests of a module."""
    with running_demo(tmp_path_factory.mktemp("demo")) as running:
        yield running
