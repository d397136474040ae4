"""Notes go where they help: in a notebook to the output, in a terminal to stderr."""

from __future__ import annotations

import subprocess
import sys

import pytest

from aifactory_hub.client import notices


@pytest.mark.parametrize(("notebook", "where"), [(True, "out"), (False, "err")])
def test_a_note_is_no_error_in_a_notebook_and_no_output_in_a_terminal(
    notebook: bool, where: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(notices, "in_notebook", lambda: notebook)
    notices.tell("sending")
    captured = capsys.readouterr()
    assert {"out": captured.out, "err": captured.err} == {"out": "", "err": "", where: "sending\n"}


def test_a_program_without_ipython_is_no_notebook_and_does_not_load_it() -> None:
    code = "import sys; from aifactory_hub.client.notices import in_notebook as i; print(i(), 'IPython' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]
