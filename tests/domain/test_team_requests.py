"""What fits of a request for a team."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aifactory_hub.domain.quota import Quota
from aifactory_hub.domain.team_requests import Room, rooms
from aifactory_profiles import Device

from ..support.tenants import make_tenant

SMALL = Device("h100-80gb", "nvidia.com/mig-1g.10gb")


def test_what_teams_own_is_promised_and_what_they_borrow_is_not() -> None:
    teams = [
        replace(make_tenant(name), quota=Quota(nominal={SMALL: own}, borrowing={SMALL: 4}))
        for name, own in (("nlp", 3), ("vision", 2))
    ]
    (room,) = rooms({"mig-1g.10gb": (SMALL, 3)}, {SMALL: 7}, teams)
    assert room == Room("mig-1g.10gb", 7, 5, 3)


@pytest.mark.parametrize(
    ("room", "said"),
    [
        (Room("s", 7, 5, 2), "2 of 7 s are promised to nobody; you ask for 2, which fits."),
        (
            Room("s", 7, 5, 3),
            "2 of 7 s are promised to nobody; you ask for 3: you can have 2 now, or 3 of which 1 are borrowed.",
        ),
        (
            Room("s", 7, 7, 3),
            "0 of 7 s are promised to nobody; you ask for 3: you can have none now, or 3 of which 3 are borrowed.",
        ),
        (
            Room("s", 2, 0, 3),
            "2 of 2 s are promised to nobody; you ask for 3: you can have 2 now.",
        ),
        (Room("s", 0, 0, 3), "0 of 0 s are promised to nobody; you ask for 3: you can have none now."),
    ],
)
def test_it_is_said_in_numbers(room: Room, said: str) -> None:
    assert room.sentence() == said


@given(st.integers(0, 50), st.integers(0, 60), st.integers(0, 60))
def test_nobody_is_offered_more_than_there_is(carved: int, promised: int, asked: int) -> None:
    room = Room("s", carved, promised, asked)
    assert 0 <= room.fits <= room.uncommitted and room.fits + promised <= max(carved, promised)
    assert room.to_borrow >= 0 and room.fits + room.to_borrow <= min(asked, carved)
