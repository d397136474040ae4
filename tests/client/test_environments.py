"""What is installed here beside an environment's lock."""

from __future__ import annotations

from typing import Any

import pytest

from aifactory_hub.client import environments as module
from aifactory_hub.client.environments import drift
from aifactory_hub.client.errors import ClientError

FOUND: list[dict[str, Any]] = [
    {
        "environment": "torch",
        "versions": [
            {"version": "2", "packages": {"numpy": "2.1", "ruamel-yaml": "0.18", "torch": "2.5"}},
            {"version": "1", "packages": None},
        ],
    }
]


@pytest.fixture(autouse=True)
def known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "environments", lambda session=None: FOUND)
    monkeypatch.delenv(module.VARIABLE, raising=False)


def test_what_differs_is_named_with_both_versions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(module.VARIABLE, "torch@2")
    found = drift(installed=["numpy==1.26", "ruamel.yaml==0.18", "own_tool==1"])
    assert found.differs == {"numpy": ("2.1", "1.26"), "own-tool": (None, "1"), "torch": ("2.5", None)}
    assert str(found) == "3 packages differ from torch@2"


def test_nothing_differs() -> None:
    found = drift(environment="torch@2", installed=["Numpy==2.1", "ruamel_yaml==0.18", "torch==2.5"])
    assert (found.differs, str(found)) == ({}, "nothing differs from torch@2")


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        (None, "AIFACTORY_ENVIRONMENT is not set"),
        ("torch", "Name one as name@version"),
        ("torch@1", "no lock of torch@1"),
        ("torch@9", "no environment torch@9 any more"),
        ("gone@1", "no environment gone@1 any more"),
    ],
)
def test_what_can_not_be_compared_is_said_and_is_not_nothing(environment: str | None, said: str) -> None:
    with pytest.raises(ClientError, match=said):
        drift(environment=environment, installed=[])
