"""What is answered to who asks for a team: granted, to be approved by whom, or refused with what fits."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aifactory_hub.domain.provisioning import Stage
from aifactory_hub.domain.refusals import RefusalReason
from aifactory_hub.domain.self_service import ApprovalStep, SelfService, TeamTemplate
from aifactory_hub.domain.team_decisions import decide_wish, effects_of
from aifactory_hub.domain.team_progress import request_steps
from aifactory_hub.domain.team_records import TeamRecord
from aifactory_hub.domain.team_wishes import (
    Decision,
    Effect,
    RequestState,
    SiteNow,
    TeamChange,
    TeamRequest,
    TeamWish,
    WishKind,
    granted_wishes,
    parts_of,
    section_of,
)
from aifactory_hub.domain.tenants import Retirement
from aifactory_hub.domain.verdicts import Need

from ..support.tenants import LARGE, SMALL, make_tenant

NAMES = {"small": SMALL, "large": LARGE, "nvidia.com/mig-1g.10gb": SMALL}
STEPS = (
    ApprovalStep({SMALL: 1}, (Need("platform"),)),
    ApprovalStep({SMALL: 2}, (Need("platform", 2), Need("security"))),
)
TEMPLATE = TeamTemplate(
    "project", ("cpu-small", "mig-1g.10gb"), ("teams/*",), STEPS, most={SMALL: 4}, most_borrowed={SMALL: 2}, lasts=90e5
)
OPEN = TeamTemplate("trial", ("cpu-small",), ("teams/**",), ())
SERVICE = SelfService(templates={"project": TEMPLATE, "trial": OPEN}, names=NAMES)
NOW = 1_800_000_000.0  # 2027-01-15
NLP = make_tenant("nlp", quota={SMALL: 3})
SITE = SiteNow(SERVICE, {"nlp": NLP}, {SMALL: 7, LARGE: 2}, {"nlp": {}}, now=NOW)
WISH = TeamWish("audio", "project", members=("teams/audio",), reason="speech")


def decided(site: SiteNow = SITE, **changes: Any) -> Decision:
    return decide_wish(replace(WISH, **changes), site)


@pytest.mark.parametrize(
    ("count", "needs"),
    [
        (0, ()),
        (1, ()),
        (2, (Need("platform"),)),
        (3, (Need("platform", 2), Need("security"))),
    ],
)
def test_what_is_more_needs_more_people(count: int, needs: tuple[Need, ...]) -> None:
    found = decided(quota={"small": count})
    assert (found.refusal, found.needs) == (None, needs)
    assert found.outcome == ("needs-approval" if needs else "granted")
    assert len(found.reasons) == max(0, count - 1)


def test_a_step_without_a_number_is_for_whatever_is_asked_for() -> None:
    held = replace(OPEN, steps=(ApprovalStep({}, (Need("platform"),)),))
    site = replace(SITE, self_service=replace(SERVICE, templates={"trial": held}))
    assert decided(site, template="trial").needs == (Need("platform"),)


def test_the_largest_that_fits_is_offered_owned_first_and_then_borrowed() -> None:
    full = replace(SITE, tenants={"nlp": make_tenant("nlp", quota={SMALL: 6})})
    found = decided(full, quota={"small": 4})
    assert found.refusal is not None and found.refusal.reason is RefusalReason.NOT_ENOUGH_LEFT
    assert (found.refusal.asked, found.refusal.used, found.refusal.limit) == (4, 6, 7)
    assert (found.offer, found.offer_borrowed) == ({"small": 1}, {"small": 2}), "the template lets it borrow two"
    offered = decided(full, quota=found.offer, borrowing=found.offer_borrowed)
    assert offered.refusal is None


@given(st.integers(0, 12), st.integers(0, 7), st.integers(0, 4))
def test_what_is_offered_is_never_refused(carved: int, promised: int, asked: int) -> None:
    site = replace(SITE, carved={SMALL: carved}, tenants={"nlp": make_tenant("nlp", quota={SMALL: promised})})
    found = decided(site, quota={"small": asked})
    if found.refusal is not None:
        again = decided(site, quota=found.offer, borrowing=found.offer_borrowed)
        assert again.refusal is None
        assert promised + found.offer.get("small", 0) <= max(carved, promised)
    else:
        assert promised + asked <= max(carved, promised)


@pytest.mark.parametrize(
    ("changes", "reason", "field"),
    [
        ({"template": "huge"}, RefusalReason.BAD_FIELD, "template"),
        ({"name": "nlp"}, RefusalReason.TEAM_EXISTS, "name"),
        ({"members": ()}, RefusalReason.BAD_FIELD, "members"),
        ({"members": ("corp/all",)}, RefusalReason.BAD_FIELD, "members"),
        ({"members": ("teams/audio/admins",)}, RefusalReason.BAD_FIELD, "members"),
        ({"admins": ("corp/all",)}, RefusalReason.BAD_FIELD, "admins"),
        ({"quota": {"small": 5}}, RefusalReason.ABOVE_TEMPLATE, "quota"),
        ({"quota": {"large": 1}}, RefusalReason.ABOVE_TEMPLATE, "quota"),
        ({"quota": {"nothing": 1}}, RefusalReason.BAD_FIELD, "quota"),
        ({"borrowing": {"small": 3}}, RefusalReason.ABOVE_TEMPLATE, "borrowing"),
        ({"expires": "2027-01-01"}, RefusalReason.BAD_FIELD, "expires"),
        ({"expires": "2027-02-30"}, RefusalReason.BAD_FIELD, "expires"),
        ({"expires": "2030-01-01"}, RefusalReason.ABOVE_TEMPLATE, "expires"),
    ],
)
def test_what_can_not_be_names_its_field(changes: dict[str, Any], reason: RefusalReason, field: str) -> None:
    refusal = decided(**changes).refusal
    assert refusal is not None and (refusal.reason, refusal.field) == (reason, field)


def test_a_namespace_of_another_name_is_not_taken_over() -> None:
    other = replace(NLP, name="other", vcluster=replace(NLP.vcluster, namespace="vc-audio"))
    refusal = decided(replace(SITE, tenants={"other": other})).refusal
    assert refusal is not None and "vc-audio" in refusal.message


def test_a_site_without_templates_says_whom_to_ask() -> None:
    refusal = decided(replace(SITE, self_service=SelfService())).refusal
    assert refusal is not None and refusal.reason is RefusalReason.NO_SELF_SERVICE


def test_one_person_may_ask_for_so_many() -> None:
    assert decided(replace(SITE, asked=2)).refusal is None
    refusal = decided(replace(SITE, asked=3)).refusal
    assert refusal is not None and refusal.reason is RefusalReason.TOO_MANY_TEAMS


def test_it_lasts_as_long_as_its_template_unless_it_says_less() -> None:
    assert decided().expires == "2027-04-29"
    assert decided(expires="2027-02-01").expires == "2027-02-01"
    assert decided(template="trial", members=("teams/a/b",)).expires == ""


def test_who_borrows_what_would_be_taken_back_is_named() -> None:
    """Nobody holds more than there is, so this takes that more is held than is promised."""
    vision = make_tenant("vision", quota={SMALL: 1})
    site = replace(SITE, tenants={"nlp": NLP, "vision": vision}, held={"nlp": {SMALL: 3}, "vision": {SMALL: 3}})
    assert effects_of({SMALL: 1}, site) == ()
    assert effects_of({SMALL: 2}, site) == (Effect("vision", "small", 1),)
    assert effects_of({SMALL: 4}, site) == (Effect("vision", "small", 2),), "what is their own is not taken"
    assert effects_of({SMALL: 2}, replace(site, held={"nlp": {}, "vision": None})) is None, "unknown is not none"


def granted(number: int, wish: TeamWish) -> TeamRequest:
    return TeamRequest(f"r{number}", wish, "", "ada", 1.0, float(number), RequestState.GRANTED)


def test_a_renewal_moves_the_last_day_of_its_team_and_makes_none() -> None:
    first = replace(WISH, expires="2027-02-01")
    later = TeamWish("audio", expires="2027-03-01", kind=WishKind.RENEWAL)
    alone = TeamWish("video", expires="2027-03-01", kind=WishKind.RENEWAL)
    wishes = granted_wishes([granted(2, later), granted(1, first), granted(3, alone)])
    assert wishes == {"audio": replace(first, expires="2027-03-01")}
    assert granted_wishes([granted(1, later), granted(1, first)]) == wishes, "in the same moment, too"
    assert granted_wishes([granted(1, later), granted(2, first)]) == {"audio": first}, "of an earlier team of that name"


@pytest.mark.parametrize(
    ("retirement", "expires", "reason"),
    [
        (Retirement(NOW + 10 * 86400, notice=14 * 86400.0), "2027-03-01", None),
        (Retirement(NOW + 10 * 86400, notice=14 * 86400.0), "2027-01-20", RefusalReason.BAD_FIELD),
        (Retirement(NOW - 10 * 86400, notice=14 * 86400.0), "2027-03-01", None),
        (Retirement(NOW + 10 * 86400), "2027-03-01", RefusalReason.TEAM_RETIRED),
    ],
)
def test_more_time_is_given_where_the_site_does_not_end_the_team(
    retirement: Retirement, expires: str, reason: RefusalReason | None
) -> None:
    team = replace(make_tenant("audio", quota={SMALL: 2}), template="project", retirement=retirement)
    wish = TeamWish("audio", expires=expires, reason="more", kind=WishKind.RENEWAL)
    found = decide_wish(wish, replace(SITE, tenants={"audio": team}))
    assert (None if found.refusal is None else found.refusal.reason) == reason
    if reason is None:
        assert found.needs == (Need("platform"),), "it needs whom the team itself would need"


AUDIO = replace(WISH, quota={"small": 2}, borrowing={"small": 1}, expires="2027-03-01")


def changing(team: TeamWish = AUDIO, site: SiteNow = SITE, **changes: Any) -> tuple[TeamWish, Decision]:
    wish = TeamChange("audio", "more to do", **changes).of(team)
    tenant = replace(make_tenant("audio", quota={SMALL: team.quota.get("small", 0)}), template="project")
    now = replace(site, tenants={**site.tenants, "audio": tenant}, granted={"audio": team})
    return wish, decide_wish(wish, now)


def test_what_a_change_leaves_out_stays() -> None:
    wish, _ = changing(quota={"large": 1}, members=("teams/audio", "teams/sound"))
    assert (wish.quota, wish.borrowing, wish.expires) == ({"small": 2, "large": 1}, {"small": 1}, "2027-03-01")
    assert wish.before == {"members": "teams/audio", "owns": "2 small"}
    assert parts_of(wish)["owns"] == "1 large, 2 small (now: 2 small)"
    taken, _ = changing(borrowing={"small": 0})
    assert taken.borrowing == {} and parts_of(taken)["may borrow"] == "nothing (now: 1 small)"


@pytest.mark.parametrize(
    ("changes", "needs"),
    [
        ({"quota": {"small": 3}}, (Need("platform", 2), Need("security"))),
        ({"quota": {"small": 1}}, ()),
        ({"borrowing": {"small": 2}}, (Need("platform"),)),
        ({"borrowing": {"small": 0}}, ()),
        ({"members": ("teams/sound",)}, (Need("platform"),)),
        ({"members": (), "admins": ("teams/audio",)}, (Need("platform"),)),
        ({"display_name": "Sound"}, ()),
    ],
)
def test_what_gets_more_needs_whom_the_team_would_need(changes: dict[str, Any], needs: tuple[Need, ...]) -> None:
    _, found = changing(**changes)
    assert (found.refusal, found.needs) == (None, needs)


def test_a_change_fits_in_what_no_other_team_owns() -> None:
    """nlp owns three of seven, so four are left for audio, its own two among them."""
    _, fits = changing(quota={"small": 4})
    assert fits.refusal is None
    assert fits.rooms[0].sentence() == "4 of 7 small are promised to no other team; you ask for 4, which fits."
    scarce = replace(SITE, carved={SMALL: 6})
    _, found = changing(site=scarce, quota={"small": 4})
    assert found.refusal is not None and found.refusal.reason is RefusalReason.NOT_ENOUGH_LEFT
    assert (found.offer, found.offer_borrowed) == ({"small": 3}, {"small": 2})
    _, again = changing(site=scarce, quota=found.offer, borrowing=found.offer_borrowed)
    assert again.refusal is None
    assert changing(site=scarce, quota={"small": 1})[1].refusal is None, "less always fits"


def test_who_borrows_what_a_larger_team_would_take_back_is_named() -> None:
    held = replace(SITE, held={"nlp": {SMALL: 5}, "audio": {SMALL: 2}})
    assert changing(site=held, quota={"small": 4})[1].effects == (Effect("nlp", "small", 2),)
    assert changing(site=held, quota={"small": 1})[1].effects == ()


@pytest.mark.parametrize(
    ("changes", "reason", "field"),
    [
        ({}, RefusalReason.BAD_FIELD, "quota"),
        ({"quota": {"small": 2}}, RefusalReason.BAD_FIELD, "quota"),
        ({"quota": {"small": 5}}, RefusalReason.ABOVE_TEMPLATE, "quota"),
        ({"quota": {"nothing": 1}}, RefusalReason.BAD_FIELD, "quota"),
        ({"members": ()}, RefusalReason.BAD_FIELD, "members"),
        ({"admins": ("corp/all",)}, RefusalReason.BAD_FIELD, "admins"),
    ],
)
def test_a_change_that_can_not_be_names_its_field(changes: dict[str, Any], reason: RefusalReason, field: str) -> None:
    refusal = changing(**changes)[1].refusal
    assert refusal is not None and (refusal.reason, refusal.field) == (reason, field)


def test_a_team_that_is_the_site_s_is_not_changed() -> None:
    wish = TeamChange("nlp", "more", quota={"small": 4}).of(replace(AUDIO, name="nlp"))
    refusal = decide_wish(wish, SITE).refusal
    assert refusal is not None and refusal.reason is RefusalReason.TEAM_UNKNOWN


def test_what_was_granted_later_makes_the_team() -> None:
    first = TeamRequest("r1", AUDIO, "", "ada", 1.0, 1.0, RequestState.GRANTED)
    larger = TeamChange("audio", "more", quota={"small": 4}, display_name="Sound").of(AUDIO)
    renewal = TeamWish("audio", expires="2027-05-01", kind=WishKind.RENEWAL)
    requests = [
        replace(first, id="r2", wish=larger, changed_at=3.0),
        replace(first, id="r3", wish=renewal, changed_at=2.0),
        first,
    ]
    team = granted_wishes(requests)["audio"]
    assert (team.kind, team.quota, team.display_name, team.expires) == (
        WishKind.NEW,
        {"small": 4},
        "Sound",
        "2027-05-01",
    ), "a change leaves the last day alone"
    assert section_of(team)["quota"] == {"small": 4}


def test_a_team_that_nobody_asked_for_is_not_renewed() -> None:
    refusal = decided(name="nlp", kind=WishKind.RENEWAL, expires="2027-03-01").refusal
    assert refusal is not None and refusal.reason is RefusalReason.TEAM_UNKNOWN


def test_a_granted_file_says_no_more_than_the_wish() -> None:
    wish = replace(WISH, admins=("teams/boss",), quota={"small": 1}, expires="2027-03-01", display_name="Audio")
    assert section_of(wish) == {
        "display_name": "Audio",
        "template": "project",
        "groups": [{"group": "teams/audio", "role": "member"}, {"group": "teams/boss", "role": "admin"}],
        "quota": {"small": 1},
        "expires": "2027-03-01",
    }
    assert parts_of(wish)["owns"] == "1 small" and parts_of(wish)["administrators"] == "teams/boss"


REQUEST = TeamRequest("r1", WISH, "", "ada", 1.0, 1.0)
RECORD = TeamRecord(Stage.API, 1.0, "it starts")


@pytest.mark.parametrize(
    ("request_", "record", "known", "states"),
    [
        (REQUEST, None, False, ["done", "now", "later", "later"]),
        (replace(REQUEST, state=RequestState.REFUSED, why="no"), None, False, ["done", "never", "never", "never"]),
        (replace(REQUEST, state=RequestState.GRANTED), None, False, ["done", "done", "now", "later"]),
        (replace(REQUEST, state=RequestState.GRANTED), RECORD, True, ["done", "done", "now", "later"]),
        (
            replace(REQUEST, state=RequestState.GRANTED),
            replace(RECORD, stage=Stage.READY, opened=2.0),
            False,
            ["done", "done", "done", "now"],
        ),
        (
            replace(REQUEST, state=RequestState.GRANTED),
            replace(RECORD, stage=Stage.ASLEEP, opened=2.0),
            True,
            ["done", "done", "done", "done"],
        ),
        (
            replace(REQUEST, wish=replace(WISH, kind=WishKind.RENEWAL), state=RequestState.GRANTED),
            None,
            True,
            ["done", "done"],
        ),
    ],
)
def test_how_far_it_is(request_: TeamRequest, record: TeamRecord | None, known: bool, states: list[str]) -> None:
    assert [step.state.value for step in request_steps(request_, "platform", record, known=known)] == states


def test_what_is_wrong_while_it_is_made_is_told() -> None:
    late = replace(RECORD, trouble="it takes longer than 180 s")
    steps = request_steps(replace(REQUEST, state=RequestState.GRANTED), "", late, known=True)
    assert steps[2].sentence == "api: it starts; it takes longer than 180 s"
