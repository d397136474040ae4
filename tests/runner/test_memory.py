"""What a control group says of memory, in both of its versions."""

from __future__ import annotations

from pathlib import Path

import pytest

from aifactory_hub.runner.memory import Memory, read_memory

GIB = 2**30


def files(folder: Path, **contents: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in contents.items():
        (folder / name.replace("__", ".")).write_text(text)
    return folder


def test_version_2(tmp_path: Path) -> None:
    files(tmp_path, memory__max=f"{GIB}\n", memory__peak=f"{GIB}\n", memory__events="low 0\noom 1\noom_kill 1\n")
    assert read_memory(tmp_path) == Memory(GIB, GIB, killed=True)
    assert str(read_memory(tmp_path)) == "memory used at most: 1.0 GiB of 1.0 GiB"


def test_version_1(tmp_path: Path) -> None:
    files(
        tmp_path / "memory",
        memory__limit_in_bytes=f"{2 * GIB}\n",
        memory__max_usage_in_bytes=f"{GIB // 2}\n",
        memory__oom_control="oom_kill_disable 0\nunder_oom 0\noom_kill 0\n",
    )
    assert read_memory(tmp_path) == Memory(GIB // 2, 2 * GIB, killed=False)
    assert str(read_memory(tmp_path)) == "memory used at most: 512 MiB of 2.0 GiB"


@pytest.mark.parametrize("limit", ["max\n", ""])
def test_no_limit_is_no_number(tmp_path: Path, limit: str) -> None:
    files(tmp_path, memory__max=limit, memory__peak="junk", memory__events="oom_kill 0\n")
    assert read_memory(tmp_path) == Memory(None, None, killed=False)


def test_a_limit_of_version_1_that_means_none_and_no_files_at_all(tmp_path: Path) -> None:
    assert read_memory(tmp_path) == Memory()
    files(tmp_path / "memory", memory__limit_in_bytes="9223372036854771712\n")
    assert read_memory(tmp_path).limit is None
