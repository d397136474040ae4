"""``aifactory-hub profiles check`` with a simulated NVML that says what a card says, or something else."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner, Result

from aifactory_hub.cli import main
from aifactory_profiles import Card, load_model

H200 = load_model("h200")
UNMEASURED = [piece.name for piece in H200.slices if piece.usable_gib is None]


class NVMLError(Exception):
    pass


class Place(ctypes.Structure):
    _fields_ = [("start", ctypes.c_uint), ("size", ctypes.c_uint)]


class SimulatedNvml:
    """One GPU that is cut as ``card`` says; ``mig`` off keeps the places to itself, as real drivers do."""

    NVMLError = NVMLError
    NVML_GPU_INSTANCE_PROFILE_COUNT = 18
    c_nvmlGpuInstancePlacement_t = Place

    def __init__(self, card: Card, product: str = "NVIDIA H200", *, gpus: int = 1, mig: bool = True) -> None:
        self.card, self.product, self.gpus, self.mig = card, product, gpus, mig
        self.open = 0

    def nvmlInit(self) -> None:
        self.open += 1

    def nvmlShutdown(self) -> None:
        self.open -= 1

    def nvmlDeviceGetCount(self) -> int:
        return self.gpus

    def nvmlDeviceGetHandleByIndex(self, index: int) -> int:
        return index

    def nvmlDeviceGetName(self, device: int) -> str:
        return self.product

    def nvmlDeviceGetGpuInstanceProfileInfo(self, device: int, number: int) -> SimpleNamespace:
        if number >= len(self.card.slices):
            raise NVMLError("Not Supported")
        piece = self.card.slices[number]
        return SimpleNamespace(
            id=number,
            name=f"MIG {piece.name}".encode(),
            sliceCount=piece.compute,
            instanceCount=piece.max_count,
            memorySizeMB=int((piece.usable_gib or 16) * 1024),
        )

    def nvmlDeviceGetGpuInstancePossiblePlacements(self, device: int, number: int, places: Any, count: Any) -> None:
        piece = self.card.slices[number]
        if not self.mig or piece.starts is None or piece.memory is None:
            raise NVMLError("Not Supported")
        count._obj.value = len(piece.starts)
        for index, start in enumerate(piece.starts if places is not None else ()):
            places[index] = Place(start, piece.memory)


Check = Callable[..., Result]


@pytest.fixture
def check(monkeypatch: pytest.MonkeyPatch) -> Check:
    def run(nvml: object, *arguments: str) -> Result:
        monkeypatch.setitem(sys.modules, "pynvml", nvml)
        return CliRunner().invoke(main, ["profiles", "check", *arguments], catch_exceptions=False)

    return run


def changed(**figures: Any) -> Card:
    """An H200 whose first slice is otherwise."""
    return replace(H200, slices=(replace(H200.slices[0], **figures), *H200.slices[1:]))


def test_a_gpu_that_agrees_with_its_card_ends_well_and_says_what_nobody_had_measured(check: Check) -> None:
    nvml = SimulatedNvml(H200, gpus=8)
    result = check(nvml)
    assert (result.exit_code, nvml.open) == (0, 0)
    lines = [line.split() for line in result.output.splitlines()]
    assert result.output.startswith("NVIDIA H200, card h200: nothing differs\n")
    assert lines[2:] == [[name, "usable_gib", "unknown", "16.00"] for name in UNMEASURED]


@pytest.mark.parametrize(
    ("figures", "row"),
    [
        ({"max_count": 6}, ["1g.18gb", "max", "7", "6"]),
        ({"starts": (0, 2, 4, 6)}, ["1g.18gb", "starts", "0,1,2,3,4,5,6", "0,2,4,6"]),
        ({"memory": 2}, ["1g.18gb", "memory", "1", "2"]),
        ({"compute": 2}, ["1g.18gb", "compute", "1", "2"]),
        ({"usable_gib": 15}, ["1g.18gb", "usable_gib", "16.0", "15.00"]),
        ({"name": "1g.17gb"}, ["1g.17gb", "slice", "not", "listed", "listed"]),
    ],
)
def test_each_figure_that_differs_is_named_with_both(check: Check, figures: dict[str, Any], row: list[str]) -> None:
    result = check(SimulatedNvml(changed(**figures)))
    assert result.exit_code == 1
    assert row in [line.split() for line in result.output.splitlines()]


def test_what_the_driver_does_not_say_is_not_called_equal(check: Check) -> None:
    result = check(SimulatedNvml(changed(starts=(0,)), mig=False))
    assert result.exit_code == 0
    assert "starts and memory of some slices were not compared" in result.output


def test_another_gpu_than_the_named_card_differs(check: Check) -> None:
    result = check(SimulatedNvml(H200), "h100-80gb")
    assert result.exit_code == 1
    assert "NVIDIA H200, card h100-80gb:" in result.output and "products" in result.output


def test_a_gpu_without_card_or_slices_is_not_known(check: Check) -> None:
    result = check(SimulatedNvml(H200, "NVIDIA T4"))
    assert (result.exit_code, "no card has nvidia.com/gpu.product NVIDIA-T4" in result.output) == (3, True)
    result = check(SimulatedNvml(replace(H200, slices=())))
    assert (result.exit_code, "the driver lists no slices" in result.output) == (3, True)


def test_a_machine_without_gpu_driver_or_package_is_told_so(check: Check) -> None:
    class Dead(SimulatedNvml):
        def nvmlInit(self) -> None:
            raise NVMLError("Driver Not Loaded")

    dead, none, missing = check(Dead(H200)), check(SimulatedNvml(H200, gpus=0)), check(None)
    assert (dead.exit_code, "does not answer: Driver Not Loaded" in dead.stderr) == (2, True)
    assert (none.exit_code, "shows no GPU" in none.stderr) == (2, True)
    assert (missing.exit_code, "pip install 'aifactory-hub[gpu]'" in missing.stderr) == (2, True)
