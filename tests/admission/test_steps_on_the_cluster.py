"""A few random steps on the real Kueue, with a kill of it and some of the hub; more are in ``real_steps``."""

from __future__ import annotations

import asyncio

import pytest

from .real_steps import run_piece

pytestmark = pytest.mark.cluster


async def test_kills_of_the_hub_and_of_kueue_never_let_more_run_than_the_quota() -> None:
    piece, judge = await asyncio.to_thread(run_piece, 150, seed=7, kueue_kills=1)
    assert judge.broken == []
    told = piece.told(judge)
    assert told["faults"]["Kueue"] == 1
    assert sum(told["faults"].values()) > 1, "the hub died as well"
    assert told["pods past the hub"]["created"]
    assert told["versions"]["ticket"] and told["versions"]["pod of the hub"]
