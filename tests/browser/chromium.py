"""Debian's Chromium, driven by Playwright; what it shows is kept as pictures."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import BrowserContext, Page, sync_playwright

CHROMIUM = Path("/usr/bin/chromium")
# `make pictures` keeps those of the documentation.
PICTURES = Path(os.environ.get("AIFACTORY_TEST_PICTURES") or Path(__file__).resolve().parents[2] / "test-results")
# Chromium as root needs --no-sandbox; the rest keeps it from calling its maker's servers at each start.
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@contextmanager
def browser(**options: Any) -> Iterator[BrowserContext]:
    """A fresh browser profile, closed and removed afterwards; ``options`` are Playwright's of a context."""
    with (
        tempfile.TemporaryDirectory(prefix="aifactory-chromium-") as profile,
        sync_playwright() as playwright,
    ):
        context = playwright.chromium.launch_persistent_context(
            profile,
            executable_path=str(CHROMIUM),
            headless=True,
            args=FLAGS,
            viewport={"width": 1280, "height": 900},
            **options,
        )
        try:
            yield context
        finally:
            context.close()


def picture(page: Page, name: str, *, full: bool = True) -> None:
    target = PICTURES / f"{name}.png"
    target.parent.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=str(target), full_page=full)
