"""Requests and answers of the Open Inference Protocol."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aifactory_hub.inference.protocol import BadRequest, InferRequest, answer, output, read_request

INPUT = {"name": "x", "datatype": "FP32", "shape": [2, 2], "data": [1, 2, 3, 4.5]}


def read(**changes: Any) -> InferRequest:
    return read_request(json.dumps({"inputs": [{**INPUT, **changes}]}).encode())


def test_a_request_is_read_flat_or_nested() -> None:
    [flat], [nested] = read().inputs, read(data=[[1, 2], [3, 4.5]]).inputs
    assert flat == nested
    assert flat.nested() == [[1, 2], [3, 4.5]]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"name": ""}, "inputs.0.name"),
        ({"datatype": "FLOAT"}, "inputs.0.datatype"),
        ({"shape": []}, "inputs.0.shape"),
        ({"shape": [True, 4]}, "inputs.0.shape"),
        ({"shape": [-2, -2]}, "inputs.0.shape"),
        ({"shape": [3, 3]}, "inputs.0.data"),
        ({"data": "1"}, "inputs.0.data"),
        ({"data": [1, 2, 3, "4"]}, "inputs.0.data"),
        ({"data": [1, 2, 3, True]}, "inputs.0.data"),
        ({"datatype": "INT64", "data": [1, 2, 3, 4.5]}, "inputs.0.data"),
        ({"datatype": "BOOL"}, "inputs.0.data"),
    ],
)
def test_a_fault_is_named_by_its_place(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(BadRequest) as found:
        read(**changes)
    assert found.value.field == field


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"inputs": []}', b"\xff", b'{"inputs": [1]}', b"[" * 9999])
def test_what_is_no_request_is_refused(body: bytes) -> None:
    with pytest.raises(BadRequest):
        read_request(body)


@given(st.binary(max_size=200))
def test_nothing_else_is_raised(body: bytes) -> None:
    with contextlib.suppress(BadRequest):
        read_request(body)


@pytest.mark.parametrize(
    ("value", "datatype", "shape"),
    [
        ([1, 2], "INT64", (2,)),
        ([[1.5, 2], [3, 4]], "FP64", (2, 2)),
        (["yes"], "BYTES", (1,)),
        ([True], "BOOL", (1,)),
        (7, "INT64", (1,)),
        (numpy.array([[1.0, 2.0]], dtype="float32"), "FP64", (1, 2)),
        ([], "INT64", (0,)),
    ],
)
def test_what_models_give_becomes_a_tensor(value: Any, datatype: str, shape: tuple[int, ...]) -> None:
    made = output("y", value)
    assert (made.datatype, made.shape) == (datatype, shape)


@pytest.mark.parametrize("value", [[1, "a"], [float("nan")], [None], [[1, 2], [3]], [{"a": 1}]])
def test_what_can_t_be_said_is_an_error(value: Any) -> None:
    with pytest.raises(ValueError, match="output y"):
        output("y", value)


def test_an_answer_repeats_the_id() -> None:
    said = answer("fraud", "3", InferRequest((), "a"), [output("y", [1])])
    assert said == {
        "model_name": "fraud",
        "model_version": "3",
        "id": "a",
        "outputs": [{"name": "y", "datatype": "INT64", "shape": [1], "data": [1]}],
    }
