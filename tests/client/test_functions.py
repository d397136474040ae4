"""Functions on their way to a job: written in a __main__, as a notebook has one, called in another process."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

from aifactory_hub.client.errors import ClientError, RemoteError
from aifactory_hub.client.functions import COMMAND, check_arguments
from aifactory_hub.client.results import read_result

# Sends a function of this program's own __main__, or prints what can't travel. A notebook's cell is such a program.
_SEND = """
import json as _json, pathlib as _pathlib
from aifactory_hub.client.errors import NotShippable as _No
from aifactory_hub.client.functions import ship as _ship
try:
    for _name, _content in _ship(sent, ARGS, KWARGS).files.items():
        _path = _pathlib.Path(WORK) / _name
        _path.parent.mkdir(parents=True, exist_ok=True)
        _path.write_bytes(_content)
    print("sent")
except _No as _error:
    print(_json.dumps(_error.problems))
"""


def send(tmp_path: Path, program: str, args: str = "()", kwargs: str = "{}") -> dict[str, str] | None:
    """What can't travel, or None: then everything that a job needs is below ``tmp_path / "work"``."""
    (tmp_path / "work").mkdir(exist_ok=True)
    cell = tmp_path / "cell.py"
    settings = f"ARGS, KWARGS, WORK = {args}, {kwargs}, {str(tmp_path / 'work')!r}"
    cell.write_text("\n".join([textwrap.dedent(program), settings, _SEND]))
    done = subprocess.run([sys.executable, str(cell)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    last = done.stdout.splitlines()[-1]
    return None if last == "sent" else json.loads(last)


def call(tmp_path: Path) -> tuple[int, str, Any]:
    """Call it as the job does: exit code, what it printed, and its result's reader."""
    argv = [sys.executable, "-P", "-m", "aifactory_hub.runner.call"]
    done = subprocess.run(argv, cwd=tmp_path / "work", capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout + done.stderr, lambda own=True: _result(tmp_path / "work" / ".aifactory", own)


def _result(folder: Path, own: bool) -> Any:
    told = json.loads((folder / "result.json").read_text())
    pickled = folder / "result.pickle"
    return read_result(told, pickled.read_bytes if pickled.exists() else None, own=own)


PROGRAM = """
import math
from math import floor as down
import numpy as np
from dataclasses import dataclass

RATE = 0.5
NAMES = {"a": (1, 2), 3: {"x"}}

@dataclass
class Point:
    x: float
    y: float = RATE

def helper(x: float) -> float:
    return math.sqrt(x) * RATE

def sent(x, *more, point: Point = None, text="é"):
    point = point or Point(1.0)
    inner = lambda v: down(v) + NAMES["a"][1]
    third = int(np.int64(3))
    return {"value": helper(x), "inner": inner(2.7), "more": list(more), "y": point.y, "text": text, "z": third}
"""


def test_a_function_travels_with_all_that_it_uses(tmp_path: Path) -> None:
    assert send(tmp_path, PROGRAM, "(16, 1, 2)") is None
    code, said, result = call(tmp_path)
    assert code == 0, said
    assert result() == {"value": 2.0, "inner": 4, "more": [1, 2], "y": 0.5, "text": "é", "z": 3}
    assert not (tmp_path / "work" / ".aifactory" / "values.pickle").exists()


def test_arguments_that_are_no_plain_values_travel_as_a_pickle_with_their_classes(tmp_path: Path) -> None:
    assert send(tmp_path, PROGRAM, "(4,)", "{'point': Point(1.0, 7.0)}") is None
    code, said, result = call(tmp_path)
    assert (code, result()["y"]) == (0, 7.0), said


def test_a_value_of_the_notebook_that_is_no_plain_one_travels_as_a_pickle(tmp_path: Path) -> None:
    program = """
    import numpy
    table = numpy.arange(5)
    def sent():
        return int(table.sum())
    """
    assert send(tmp_path, program) is None
    assert call(tmp_path)[2]() == 10


def test_our_decorator_stays_at_home_and_others_travel(tmp_path: Path) -> None:
    program = """
    import functools
    from aifactory_hub.client import remote

    def twice(f):
        @functools.wraps(f)
        def run(*args):
            return 2 * f(*args)
        return run

    @remote(profile="mig-1g.10gb")
    def other(x):
        return x + 1

    @remote
    def sent(x):
        return other(x)

    @twice
    def doubled(x):
        return x
    sent = sent.local
    """
    assert send(tmp_path, program, "(20,)") is None
    source = (tmp_path / "work" / ".aifactory" / "function.py").read_text()
    assert "@remote" not in source
    assert call(tmp_path)[2]() == 21


def test_what_is_needed_first_comes_first(tmp_path: Path) -> None:
    program = """
    class Base:
        value = 1
    class Child(Base):
        pass
    def sent(base=Base):
        return Child.value + base.value
    """
    assert send(tmp_path, program) is None
    code, said, result = call(tmp_path)
    assert (code, said) == (0, "")
    assert result() == 2


CANT = [
    (
        "a lock",
        "import threading\nlock = threading.Lock()\ndef sent():\n    return lock",
        {"lock": "a lock can't be pickled"},
    ),
    ("a name that is nowhere", "def sent():\n    return nowhere", {"nowhere": "sent uses it, but there is nothing"}),
    (
        "the names of a function around it",
        "def make(n):\n    def sent():\n        return n\n    return sent\nsent = make(3)",
        {"sent": "it uses n of the function around it"},
    ),
    ("a lambda", "sent = lambda: 1", {"<function": "only a function that was written with def"}),
    ("a class", "class sent: pass", {"<class": "only a function that was written with def"}),
    (
        "two things at once",
        "import sys\nout = sys.stdout\ndef sent():\n    return out, missing",
        {"missing": "nothing of that name", "out": "can't be pickled"},
    ),
]


@pytest.mark.parametrize(("program", "problems"), [c[1:] for c in CANT], ids=[c[0].replace(" ", "-") for c in CANT])
def test_what_cannot_travel_is_named_before_anything_is_sent(
    tmp_path: Path, program: str, problems: dict[str, str]
) -> None:
    found = send(tmp_path, program)
    assert found is not None
    assert len(found) == len(problems), found
    for name, why in problems.items():
        assert any(key.startswith(name) and why in text for key, text in found.items()), found
    assert list((tmp_path / "work").iterdir()) == []


def test_an_error_comes_home_as_itself_with_the_jobs_traceback(tmp_path: Path) -> None:
    send(tmp_path, "def inner():\n    return {}['key']\ndef sent():\n    return inner()")
    code, said, result = call(tmp_path)
    assert code == 1
    assert "in inner" in said
    with pytest.raises(KeyError) as raised:
        result()
    assert "in inner" in str(raised.value.__cause__)
    assert "aifactory_hub/runner" not in str(raised.value.__cause__)


def test_an_error_of_a_class_that_is_not_known_here_is_told(tmp_path: Path) -> None:
    send(tmp_path, "class Odd(Exception): pass\ndef sent():\n    raise Odd('strange')")
    with pytest.raises(RemoteError, match="Odd: strange"):
        call(tmp_path)[2]()


def test_a_coroutine_function_is_awaited(tmp_path: Path) -> None:
    send(tmp_path, "import asyncio\nasync def sent():\n    await asyncio.sleep(0)\n    return 5")
    assert call(tmp_path)[2]() == 5


def test_a_result_that_is_no_plain_value_comes_as_a_pickle_to_its_owner_only(tmp_path: Path) -> None:
    send(tmp_path, "def sent():\n    return (1, {2: {3}})")
    _, _, result = call(tmp_path)
    assert result() == (1, {2: {3}})
    with pytest.raises(ClientError, match="somebody else's job"):
        result(False)


def test_a_result_that_cannot_come_home_is_said(tmp_path: Path) -> None:
    send(tmp_path, "import threading\ndef sent():\n    return threading.Lock()")
    code, said, result = call(tmp_path)
    assert (code, "can't be brought home" in said) == (1, True)
    with pytest.raises(RemoteError, match="can't be brought home"):
        result()


def test_a_pickle_of_another_python_is_never_read(tmp_path: Path) -> None:
    send(tmp_path, PROGRAM, "(4,)", "{'point': Point(1.0)}")
    told = tmp_path / "work" / ".aifactory" / "call.json"
    told.write_text(json.dumps({**json.loads(told.read_text()), "python": [3, 1]}))
    code, said, _ = call(tmp_path)
    assert code == 126
    assert "args, kwargs came as a pickle from Python 3.1, and this is Python 3." in said
    with pytest.raises(ClientError, match=r"is a pickle of Python 3\.1"):
        read_result({"ok": True, "format": "pickle", "python": [3, 1]}, lambda: b"", own=True)


def test_arguments_that_the_function_does_not_take_are_refused_before_anything_is_sent() -> None:
    def fit(rate: float, epochs: int = 1) -> None: ...

    check_arguments(fit, [0.1], {"epochs": 3})
    with pytest.raises(ClientError, match=r"unexpected keyword argument 'epoch'.*Did you mean 'epochs'"):
        check_arguments(fit, [0.1], {"epoch": 3})
    with pytest.raises(ClientError, match="missing a required argument: 'rate'"):
        check_arguments(fit, [], {})


def test_files_beside_a_function_do_not_hide_what_the_runner_imports(tmp_path: Path) -> None:
    assert COMMAND == "python3 -P -m aifactory_hub.runner.call"
    send(tmp_path, "def sent(): import mine; return mine.MINE")
    for module in ("mine", "token", "inspect", "string", "calendar", "traceback"):
        (tmp_path / "work" / f"{module}.py").write_text("MINE = 42")
    code, said, result = call(tmp_path)
    assert (code, said) == (0, "")
    assert result() == 42
