"""What may be a secret's name and value."""

from __future__ import annotations

import pytest

from aifactory_hub.domain.secrets import LARGEST_VALUE, name_problem, value_problem


@pytest.mark.parametrize("name", ["HF_TOKEN", "A", "WANDB_API_KEY", "X" * 64])
def test_names_that_may_be(name: str) -> None:
    assert name_problem(name) is None


@pytest.mark.parametrize(
    "name",
    [
        *("", "hf_token", "1A", "A-B", "A B", "X" * 65, "A\n", "ÄB", "A=B"),
        *("PATH", "LD_PRELOAD", "PYTHONPATH", "BASH_ENV", "AIFACTORY_X", "JUPYTERHUB_API_TOKEN", "GIT_SSH_COMMAND"),
    ],
)
def test_names_that_may_not_be(name: str) -> None:
    assert name_problem(name) is not None


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("short", "fewer than 6"),
        ("   x   ", "fewer than 6"),
        ("a\x00bcdef", "NUL"),
        ("x" * (LARGEST_VALUE + 1), "32769"),
    ],
)
def test_values_that_may_not_be_and_that_are_not_told(value: str, said: str) -> None:
    found = value_problem(value)
    assert found is not None
    assert said in found
    assert value not in found
    assert value_problem("a-token") is None
