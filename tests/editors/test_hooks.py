"""Start hooks: run as the person, told when they fail, never fatal."""

from __future__ import annotations

from pathlib import Path

from aifactory_hub.editors.hooks import run_hooks


def run(*commands: str, timeout: float = 60.0) -> tuple[int, list[str]]:
    said: list[str] = []
    return run_hooks(commands, said.append, timeout=timeout), said


def test_they_run_in_order_and_what_works_is_not_told(tmp_path: Path) -> None:
    file = tmp_path / "out"
    assert run(f"echo one >> {file}", f"echo two >> {file}") == (0, [])
    assert file.read_text() == "one\ntwo\n"


def test_one_that_fails_is_told_with_its_last_words_and_the_next_one_runs(tmp_path: Path) -> None:
    failed, said = run("echo no network; exit 3", f"touch {tmp_path}/there")
    assert (failed, said) == (1, ["start hook `echo no network; exit 3` failed with 3: no network"])
    assert (tmp_path / "there").exists()


def test_one_that_hangs_is_ended_with_all_that_it_has_started() -> None:
    # The child would hold the output open long after the shell is gone.
    failed, said = run("sleep 600 & sleep 600", timeout=0.3)
    assert (failed, said) == (1, ["start hook `sleep 600 & sleep 600` was ended after 0.3 s"])


def test_a_command_that_is_not_there_is_told() -> None:
    failed, said = run("no-such-program-anywhere")
    assert failed == 1
    assert "failed with 127" in said[0]
