"""What a Jupyter server can tell of itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from aifactory_hub.lab.server import Memory, read_memory
from aifactory_hub.lab.upstream import is_allowed

GIB = 2**30


def test_memory_is_what_can_not_be_dropped(tmp_path: Path) -> None:
    (tmp_path / "memory.current").write_text(f"{3 * GIB}\n")
    (tmp_path / "memory.max").write_text(f"{8 * GIB}\n")
    (tmp_path / "memory.stat").write_text(f"anon 5\ninactive_file {GIB}\n")
    assert read_memory(tmp_path, {"MEM_LIMIT": str(8 * GIB)}) == Memory(2 * GIB, 8 * GIB)


def test_memory_of_an_older_control_group_without_a_limit(tmp_path: Path) -> None:
    folder = tmp_path / "memory"
    folder.mkdir()
    (folder / "memory.usage_in_bytes").write_text(str(GIB))
    (folder / "memory.limit_in_bytes").write_text("9223372036854771712")
    assert read_memory(tmp_path, {"MEM_LIMIT": str(4 * GIB)}) == Memory(GIB, 4 * GIB)


@pytest.mark.parametrize("environment", [{}, {"MEM_LIMIT": "0.5"}, {"MEM_LIMIT": ""}])
def test_the_whole_machine_s_memory_is_not_taken_for_the_server_s(tmp_path: Path, environment: dict[str, str]) -> None:
    (tmp_path / "memory.current").write_text(str(GIB))
    assert read_memory(tmp_path, environment) is None


def test_unknown_memory_is_not_zero(tmp_path: Path) -> None:
    assert read_memory(tmp_path, {"MEM_LIMIT": "1024"}) is None


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "jobs", True),
        ("GET", "jobs/abc123/logs", True),
        ("GET", "jobs/abc123/metrics", True),
        ("POST", "jobs/abc123/metrics", False),
        ("GET", "jobs/abc123/artifacts/a%20b/c.txt", True),
        ("GET", "jobs/abc123/artifacts/../../x", False),
        ("GET", "jobs/abc123/artifacts/%2E%2E/x", False),
        ("GET", "tenants/nlp/profiles", True),
        ("GET", "internal/jobs/abc/files", False),
        ("PUT", "jobs", False),
        ("POST", "jobs", True),
        ("DELETE", "jobs/abc", True),
    ],
)
def test_what_may_be_passed_on(method: str, path: str, allowed: bool) -> None:
    assert is_allowed(method, path) is allowed
