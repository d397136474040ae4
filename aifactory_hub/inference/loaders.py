"""Reads a model's files into something that predicts. Each reader imports what it needs when it is used.

Pickles run code that is in them: what protects is that only files reach this that were signed and checked.
"""

from __future__ import annotations

import importlib.util
import pickle
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from .protocol import InferRequest, Tensor, output

_PICKLES = (".pkl", ".pickle", ".joblib")
_NUMPY = {"BOOL": "bool", "FP16": "float16", "FP32": "float32", "FP64": "float64", "BYTES": "object"}


class BadModelFiles(Exception):
    """The files can't be served; the text says why and what would help."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """A model that was read. ``parallel``: it may be asked by several threads at once."""

    framework: str
    predict: Callable[[InferRequest], list[Tensor]]
    parallel: bool = False


def load(framework: str, folder: Path) -> Loaded:
    """Read the files below ``folder``; ``auto`` goes by what they are. Raises BadModelFiles."""
    chosen = _by_files(folder) if framework == "auto" else framework
    try:
        return _LOADERS[chosen](folder)
    except BadModelFiles:
        raise
    except ImportError as error:
        raise BadModelFiles(f"this image lacks what reads a model of framework {chosen}: {error}") from error
    except Exception as error:  # whatever the files or the code in them do
        raise BadModelFiles(f"the model can't be read as {chosen}: {type(error).__name__}: {error}") from error


def _by_files(folder: Path) -> str:
    if (folder / "model.py").is_file():
        return "python"
    if _of(folder, (".onnx",)):
        return "onnx"
    if _of(folder, _PICKLES):
        return "sklearn"
    raise BadModelFiles(
        "the files are no model that is known here: model.py, one .onnx, or one .pkl or .joblib. "
        "Say framework 'command' to serve them with a program of your own."
    )


def _of(folder: Path, suffixes: Sequence[str]) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.suffix in suffixes and path.is_file())


def _only(folder: Path, suffixes: Sequence[str]) -> Path:
    found = _of(folder, suffixes)
    if len(found) != 1:
        names = ", ".join(path.name for path in found[:5]) or "none"
        raise BadModelFiles(f"it takes one file that ends in {' or '.join(suffixes)}; there are: {names}")
    return found[0]


def _sklearn(folder: Path) -> Loaded:
    path = _only(folder, _PICKLES)
    if path.suffix == ".joblib":
        import joblib

        model = joblib.load(path)
    else:
        model = pickle.loads(path.read_bytes())  # noqa: S301 - signed, and checked before
    if not callable(getattr(model, "predict", None)):
        raise BadModelFiles(f"{path.name} has a {type(model).__name__}, which has no predict()")

    def predict(request: InferRequest) -> list[Tensor]:
        [asked] = request.inputs[:1]
        return [output("predict", model.predict(_array(asked)))]

    return Loaded("sklearn", predict, parallel=True)


def _onnx(folder: Path) -> Loaded:
    import onnxruntime

    session = onnxruntime.InferenceSession(str(_only(folder, (".onnx",))))
    names = [each.name for each in session.get_outputs()]

    def predict(request: InferRequest) -> list[Tensor]:
        given = {tensor.name: _array(tensor) for tensor in request.inputs}
        return [output(name, value) for name, value in zip(names, session.run(names, given), strict=True)]

    return Loaded("onnx", predict, parallel=True)


def _python(folder: Path) -> Loaded:
    """``model.py`` has ``load(folder)``, whose result has ``predict(inputs)``; ``inputs`` are lists by name."""
    module = _import(folder / "model.py")
    if not callable(getattr(module, "load", None)):
        raise BadModelFiles("model.py has no load(folder)")
    model = module.load(folder)
    if not callable(getattr(model, "predict", None)):
        raise BadModelFiles(f"load(folder) of model.py gave a {type(model).__name__}, which has no predict(inputs)")

    def predict(request: InferRequest) -> list[Tensor]:
        found = model.predict({tensor.name: tensor.nested() for tensor in request.inputs})
        named = found if isinstance(found, Mapping) else {"predict": found}
        return [output(str(name), value) for name, value in named.items()]

    return Loaded("python", predict)


def _import(path: Path) -> ModuleType:
    if not path.is_file():
        raise BadModelFiles("there is no model.py among the files")
    # What model.py imports from beside it.
    sys.path.insert(0, str(path.parent))
    spec = importlib.util.spec_from_file_location("model", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["model"] = module
    spec.loader.exec_module(module)
    return module


def _array(tensor: Tensor) -> Any:
    import numpy

    kind = _NUMPY.get(tensor.datatype, tensor.datatype.lower())
    return numpy.array(tensor.data, dtype=kind).reshape(tensor.shape)


_LOADERS: Mapping[str, Callable[[Path], Loaded]] = {"sklearn": _sklearn, "onnx": _onnx, "python": _python}
