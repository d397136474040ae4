"""The quota rule: what fits, and what a refusal says when it does not."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aifactory_hub.domain.quota import Fits, Holder, Quota, Usage, check_quota, check_user, room_for
from aifactory_hub.domain.refusals import Refusal, RefusalReason
from aifactory_profiles import Device

from ..support.tenants import LARGE, PROFILES, SMALL, make_catalogue

CATALOGUE = make_catalogue()
MENU = tuple(CATALOGUE.profile(name) for name in PROFILES)


@dataclass(frozen=True)
class Case:
    """One question to the quota rule."""

    profile: str
    nominal: dict[Device, int] = field(default_factory=dict)
    borrowing: dict[Device, int] = field(default_factory=dict)
    used: dict[Device, int] = field(default_factory=dict)
    reason: RefusalReason | None = None
    numbers: tuple[int, int, int] | None = None  # asked, used, limit
    fits_now: tuple[str, ...] = ()


CASES = {
    "nothing is used": Case("mig-1g.10gb", nominal={SMALL: 1}),
    "the last one is left": Case("mig-1g.10gb", nominal={SMALL: 3}, used={SMALL: 2}),
    "no device, no limit": Case("cpu-small", used={SMALL: 99}),
    "room is borrowed": Case("mig-1g.10gb", nominal={SMALL: 1}, borrowing={SMALL: 1}, used={SMALL: 1}),
    "all are in use": Case(
        "mig-1g.10gb",
        nominal={SMALL: 2, LARGE: 1},
        used={SMALL: 2},
        reason=RefusalReason.QUOTA_EXCEEDED,
        numbers=(1, 2, 2),
        fits_now=("cpu-small", "mig-3g.40gb"),
    ),
    "borrowing is used up as well": Case(
        "mig-1g.10gb",
        nominal={SMALL: 1},
        borrowing={SMALL: 1},
        used={SMALL: 2},
        reason=RefusalReason.QUOTA_EXCEEDED,
        numbers=(1, 2, 2),
        fits_now=("cpu-small",),
    ),
    "more is used than the quota, which was lowered": Case(
        "mig-1g.10gb",
        nominal={SMALL: 1},
        used={SMALL: 5},
        reason=RefusalReason.QUOTA_EXCEEDED,
        numbers=(1, 5, 1),
        fits_now=("cpu-small",),
    ),
    "the tenant can never have one": Case(
        "mig-3g.40gb",
        nominal={SMALL: 1},
        reason=RefusalReason.NEVER_FITS,
        numbers=(1, 0, 0),
        fits_now=("cpu-small", "mig-1g.10gb"),
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_what_fits_and_what_a_refusal_says(case: Case) -> None:
    profile = CATALOGUE.profile(case.profile)
    verdict = check_quota(Quota(case.nominal, case.borrowing), Usage(case.used), profile, MENU)
    if case.reason is None:
        assert verdict == Fits()
        return
    assert isinstance(verdict, Refusal)
    assert verdict.reason is case.reason
    assert (verdict.asked, verdict.used, verdict.limit) == case.numbers
    assert verdict.fits_now == case.fits_now
    assert verdict.field == "profile"


def test_a_refusal_tells_a_person_all_the_numbers() -> None:
    verdict = check_quota(Quota({SMALL: 2}), Usage({SMALL: 2}), CATALOGUE.profile("mig-1g.10gb"), MENU)
    assert isinstance(verdict, Refusal)
    assert verdict.message == (
        "Profile mig-1g.10gb: your team has no room for it now. Asked 1, used 2, "
        "limit 2 of nvidia.com/mig-1g.10gb (h100-80gb). Fits now: cpu-small."
    )


def test_a_refusal_without_an_alternative_says_so() -> None:
    menu = [CATALOGUE.profile("mig-1g.10gb")]
    verdict = check_quota(Quota({SMALL: 1}), Usage({SMALL: 1}), menu[0], menu)
    assert isinstance(verdict, Refusal)
    assert verdict.message.endswith("Nothing else on your menu fits now.")


COUNTS = st.dictionaries(st.sampled_from([SMALL, LARGE]), st.integers(min_value=0, max_value=9))


@given(nominal=COUNTS, borrowing=COUNTS, used=COUNTS, name=st.sampled_from(PROFILES))
def test_what_fits_never_goes_over_the_limit(
    nominal: dict[Device, int], borrowing: dict[Device, int], used: dict[Device, int], name: str
) -> None:
    quota, profile = Quota(nominal, borrowing), CATALOGUE.profile(name)
    verdict = check_quota(quota, Usage(used), profile, MENU)
    fits = all(used.get(device, 0) + count <= quota.limit(device) for device, count in profile.takes.items())
    assert isinstance(verdict, Fits) == fits


@given(nominal=COUNTS, borrowing=COUNTS, used=COUNTS, name=st.sampled_from(PROFILES))
def test_what_is_named_as_fitting_does_fit(
    nominal: dict[Device, int], borrowing: dict[Device, int], used: dict[Device, int], name: str
) -> None:
    quota, usage = Quota(nominal, borrowing), Usage(used)
    verdict = check_quota(quota, usage, CATALOGUE.profile(name), MENU)
    if isinstance(verdict, Refusal):
        fitting = {p.name for p in MENU if isinstance(check_quota(quota, usage, p), Fits)}
        assert set(verdict.fits_now) == fitting


@given(nominal=COUNTS, used=COUNTS, name=st.sampled_from(["mig-1g.10gb", "mig-3g.40gb"]))
def test_room_is_how_many_more_fit_one_after_the_other(
    nominal: dict[Device, int], used: dict[Device, int], name: str
) -> None:
    quota, profile = Quota(nominal), CATALOGUE.profile(name)
    device = next(iter(profile.takes))
    taken, fitted = dict(used), 0
    while isinstance(check_quota(quota, Usage(taken), profile), Fits):
        taken[device] = taken.get(device, 0) + 1
        fitted += 1
    assert room_for(quota, Usage(used), profile) == fitted


def test_room_for_a_profile_without_a_device_has_no_limit() -> None:
    assert room_for(Quota(), Usage(), CATALOGUE.profile("cpu-small")) is None


def test_one_person_may_not_have_more_than_the_team_lets_one_have() -> None:
    quota, profile = Quota({SMALL: 5}, per_user={SMALL: 2}), CATALOGUE.profile("mig-1g.10gb")
    holders = (Holder("server", "a", "ada", {SMALL: 1}), Holder("job", "b", "bob", {SMALL: 2}))
    usage = Usage({SMALL: 3}, holders)
    assert isinstance(check_user("nlp", quota, usage, profile, "ada"), Fits)
    verdict = check_user("nlp", quota, usage, profile, "bob")
    assert isinstance(verdict, Refusal)
    assert verdict.reason is RefusalReason.USER_LIMIT
    assert (verdict.asked, verdict.used, verdict.limit) == (1, 2, 2)
    assert verdict.message == (
        "Profile mig-1g.10gb: One person may have 2 of nvidia.com/mig-1g.10gb (h100-80gb) in team nlp. "
        "bob has or waits for 2, and this asks 1 more. Stop one of them first."
    )
    assert isinstance(check_user("nlp", quota, usage, CATALOGUE.profile("cpu-small"), "bob"), Fits)
