"""Tests that need a program of a Debian package."""

from __future__ import annotations

import os
import shutil

import pytest


def needs(program: str, package: str) -> pytest.MarkDecorator:
    """Skip where the program is not installed; in CI, which installs it, nothing is skipped."""
    missing = shutil.which(program) is None and not os.environ.get("CI")
    return pytest.mark.skipif(missing, reason=f"{program} is not here: apt-get install {package}")
