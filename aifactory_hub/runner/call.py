"""``python3 -P -m aifactory_hub.runner.call``: calls the function that a notebook sent, and keeps what it returns.

The result is JSON where JSON gives it back unchanged, else a pickle, which only the same minor version of Python may
read.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import pickle
import sys
import traceback
import types
from pathlib import Path
from typing import Any

from .reason import write_reason

_FOLDER = Path(".aifactory")
_FAILED = 1
# As a shell says of what it found but could not run.
_NOT_RUN = 126


def main() -> int:
    """0 when the function returned."""
    call = json.loads((_FOLDER / "call.json").read_text())
    here = list(sys.version_info[:2])
    if call["values"] and call["python"] != here:
        theirs, ours = (".".join(map(str, version)) for version in (call["python"], here))
        print(
            f"{', '.join(call['values'])} came as a pickle from Python {theirs}, and this is Python {ours}: a pickle "
            "of another minor version can crash Python. Pass plain values, or use an image with the notebook's Python.",
            file=sys.stderr,
        )
        return _NOT_RUN
    try:
        value = _call(call)
    except BaseException as error:
        traceback.print_exc()
        write_reason(f"{call['function']}: {type(error).__name__}: {error}")
        _keep({"ok": False, **_told(error)}, error)
        if isinstance(error, SystemExit):
            return error.code if isinstance(error.code, int) else _FAILED
        return _FAILED
    return _keep_value(value)


def _call(call: dict[str, Any]) -> Any:
    # The function lives in a __main__ of its own, as it did in the notebook: its pickles name it so.
    module = types.ModuleType("__main__")
    path = _FOLDER / "function.py"
    module.__file__ = str(path)
    sys.modules["__main__"] = module
    sys.path.insert(0, "")
    exec(compile(path.read_text(), str(path), "exec"), vars(module))  # noqa: S102 - the person's own program
    values = pickle.loads((_FOLDER / "values.pickle").read_bytes()) if call["values"] else {}  # noqa: S301 - and data
    args, kwargs = values.pop("args", call["args"]), values.pop("kwargs", call["kwargs"])
    vars(module).update(values)
    value = getattr(module, call["function"])(*args, **kwargs)
    return asyncio.run(_awaited(value)) if inspect.isawaitable(value) else value


async def _awaited(value: Any) -> Any:
    return await value


def _keep_value(value: Any) -> int:
    try:
        text = json.dumps({"ok": True, "format": "json", "value": value}, allow_nan=False)
        if _same(json.loads(text)["value"], value):
            (_FOLDER / "result.json").write_text(text)
            return 0
    except (TypeError, ValueError):
        pass
    try:
        _keep({"ok": True, "format": "pickle"}, value)
    except Exception as error:
        message = f"it returned a {type(value).__name__}, which can't be brought home: {error}"
        print(message, file=sys.stderr)
        write_reason(message)
        _keep({"ok": False, "type": "TypeError", "message": message, "traceback": ""}, None)
        return _FAILED
    return 0


def _keep(told: dict[str, Any], value: Any) -> None:
    try:
        content = pickle.dumps(value)
    except Exception:
        if told["ok"]:
            raise
        content = b""
    if content:
        (_FOLDER / "result.pickle").write_bytes(content)
    (_FOLDER / "result.json").write_text(json.dumps({**told, "python": list(sys.version_info[:2])}))


def _told(error: BaseException) -> dict[str, Any]:
    """The error in words, without the frames that are this program's."""
    frames = error.__traceback__
    while frames is not None and frames.tb_frame.f_code.co_filename == __file__:
        frames = frames.tb_next
    text = "".join(traceback.format_exception(type(error), error, frames))
    return {"type": type(error).__name__, "message": str(error), "traceback": text}


def _same(one: Any, other: Any) -> bool:
    """Equal, and of the same types all through."""
    if type(one) is not type(other):
        return False
    if isinstance(one, list):
        return len(one) == len(other) and all(map(_same, one, other))
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(_same(one[k], other[k]) for k in one)
    return bool(one == other)


if __name__ == "__main__":
    sys.exit(main())
