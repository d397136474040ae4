"""The contract of all pipelines, held against the local one."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from aifactory_hub.pipelines.local import LocalPipeline

from ..pipelines.test_contract import (
    Engine,
    test_a_run_is_seen_running_and_goes_when_deleted,
    test_a_run_that_ends_badly_fails_with_its_exit_code,
    test_a_run_that_ends_well_succeeds_and_its_log_can_be_read,
    test_creating_twice_makes_one_run,
    test_secret_files_are_in_the_folder_that_the_environment_names,
    test_two_tenants_runs_of_one_id_are_two_runs,
    test_what_never_was_is_not_there,
)

__all__ = [
    "test_a_run_is_seen_running_and_goes_when_deleted",
    "test_a_run_that_ends_badly_fails_with_its_exit_code",
    "test_a_run_that_ends_well_succeeds_and_its_log_can_be_read",
    "test_creating_twice_makes_one_run",
    "test_secret_files_are_in_the_folder_that_the_environment_names",
    "test_two_tenants_runs_of_one_id_are_two_runs",
    "test_what_never_was_is_not_there",
]


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[Engine]:
    pipeline = LocalPipeline(tmp_path)
    yield Engine(pipeline, "any", [])
    await pipeline.close()
