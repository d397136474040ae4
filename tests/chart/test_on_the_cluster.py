"""The chart on the real test cluster: installed, kept, rolled back, removed. `make e2e-install` has the provisioner."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.install.site import InstalledSite, installed_site
from tests.e2e.install.steps import STEPS, provisioner
from tests.e2e.table import Step

pytestmark = pytest.mark.cluster


@pytest.fixture
def site(tmp_path: Path) -> Iterator[InstalledSite]:
    with installed_site(tmp_path) as made:
        yield made


def test_install_backup_upgrade_rollback_test_and_uninstall(site: InstalledSite) -> None:
    """One after the other: each goes on from what the one before has left. A team by the provisioner takes a minute."""
    for number, (title, body) in enumerate(STEPS, 1):
        if body is not provisioner:
            step = Step(number, title)
            body(site, step)
            assert step.checked
