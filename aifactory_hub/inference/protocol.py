"""Requests and answers of the Open Inference Protocol, version 2, as JSON: read with limits, written from values."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..untrusted.json_text import BadJson, JsonLimits, read_json

# Of one request.
MOST_BYTES = 16 * 2**20
_MOST_INPUTS = 100
_LIMITS = JsonLimits(depth=16, values=4_000_000)
_WHOLE = ("INT8", "INT16", "INT32", "INT64", "UINT8", "UINT16", "UINT32", "UINT64")
_FLOATS = ("FP16", "FP32", "FP64")
DATATYPES = ("BOOL", *_WHOLE, *_FLOATS, "BYTES")


class BadRequest(Exception):
    """The request is not in order: ``field`` is the place of the fault."""

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"{field}: {problem}" if field else problem)
        self.field = field


@dataclass(frozen=True, slots=True)
class Tensor:
    """One input or output: ``data`` is flat, row by row, and has as many values as ``shape`` says."""

    name: str
    datatype: str
    shape: tuple[int, ...]
    data: Sequence[Any]

    def nested(self) -> Any:
        """The values as lists within lists, in the form of the shape."""
        values: list[Any] = list(self.data)
        for size in reversed(self.shape[1:]):
            values = [values[begin : begin + size] for begin in range(0, len(values), size)] if size else []
        return values


@dataclass(frozen=True, slots=True)
class InferRequest:
    """What is asked; ``id`` is repeated in the answer."""

    inputs: tuple[Tensor, ...]
    id: str = ""


def read_request(body: bytes) -> InferRequest:
    """The request. Raises BadRequest."""
    try:
        said = read_json(body, _LIMITS)
    except BadJson as error:
        raise BadRequest(error.field, error.problem) from error
    if not isinstance(said, Mapping) or not isinstance(said.get("inputs"), list) or not said["inputs"]:
        raise BadRequest("inputs", "write a list of inputs, each with name, shape, datatype and data")
    if len(said["inputs"]) > _MOST_INPUTS:
        raise BadRequest("inputs", f"there are {len(said['inputs'])}; write {_MOST_INPUTS} at most")
    name = said.get("id", "")
    if not isinstance(name, str) or len(name) > 200:
        raise BadRequest("id", "write a text of 200 characters at most")
    return InferRequest(tuple(_tensor(f"inputs.{n}", each) for n, each in enumerate(said["inputs"])), name)


def _tensor(place: str, said: Any) -> Tensor:
    if not isinstance(said, Mapping):
        raise BadRequest(place, "write an object with name, shape, datatype and data")
    name, datatype, shape, data = (said.get(key) for key in ("name", "datatype", "shape", "data"))
    if not isinstance(name, str) or not 0 < len(name) <= 200:
        raise BadRequest(f"{place}.name", "write a text of 1 to 200 characters")
    if datatype not in DATATYPES:
        raise BadRequest(f"{place}.datatype", f"it is {str(datatype)[:40]!r}: write one of {', '.join(DATATYPES)}")
    if not isinstance(shape, list) or not shape or not all(_is_whole(size) and size >= 0 for size in shape):
        raise BadRequest(f"{place}.shape", "write a list of whole numbers, such as [1, 64]")
    if not isinstance(data, list):
        raise BadRequest(f"{place}.data", "write a list")
    flat = _flat(data)
    if len(flat) != math.prod(shape):
        raise BadRequest(f"{place}.data", f"it has {len(flat)} values, and shape {shape} has {math.prod(shape)}")
    if not all(_fits(value, str(datatype)) for value in flat):
        raise BadRequest(f"{place}.data", f"not all of its values are {datatype}")
    return Tensor(name, str(datatype), tuple(shape), flat)


def _flat(data: list[Any]) -> list[Any]:
    """Row by row; the protocol allows lists within lists."""
    while any(isinstance(each, list) for each in data):
        data = [value for each in data for value in (each if isinstance(each, list) else [each])]
    return data


def _fits(value: Any, datatype: str) -> bool:
    if datatype == "BOOL":
        return isinstance(value, bool)
    if datatype == "BYTES":
        return isinstance(value, str)
    return _is_whole(value) or (datatype in _FLOATS and isinstance(value, float))


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def answer(model: str, version: str, request: InferRequest, outputs: Sequence[Tensor]) -> dict[str, Any]:
    """The answer as JSON."""
    told = [{"name": t.name, "datatype": t.datatype, "shape": list(t.shape), "data": list(t.data)} for t in outputs]
    named = {"id": request.id} if request.id else {}
    return {"model_name": model, "model_version": version, **named, "outputs": told}


def output(name: str, value: Any) -> Tensor:
    """A tensor of what a model gave: lists within lists of numbers, truths or texts, or an array. Raises ValueError."""
    plain = value.tolist() if hasattr(value, "tolist") else value
    rows = plain if isinstance(plain, list | tuple) else [plain]
    shape = _shape(rows)
    flat = _flat([list(each) if isinstance(each, tuple) else each for each in rows])
    if math.prod(shape) != len(flat):
        raise ValueError(f"output {name} has rows of different lengths")
    return Tensor(name, _datatype(name, flat), shape, flat)


def _shape(rows: Any) -> tuple[int, ...]:
    found: list[int] = []
    while isinstance(rows, list | tuple):
        found.append(len(rows))
        if not rows:
            break
        rows = rows[0]
    return tuple(found)


def _datatype(name: str, flat: list[Any]) -> str:
    if all(isinstance(value, bool) for value in flat) and flat:
        return "BOOL"
    if all(_is_whole(value) for value in flat):
        return "INT64"
    if all(isinstance(value, str) for value in flat):
        return "BYTES"
    if not all((_is_whole(value) or isinstance(value, float)) for value in flat):
        raise ValueError(f"output {name} has values that are neither numbers nor truths nor texts")
    if not all(math.isfinite(value) for value in flat):
        raise ValueError(f"output {name} has a number that is not finite")
    return "FP64"
