"""Plans to cut idle GPUs anew: what they may touch, what they come to, and what a person applies."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from aifactory_hub.domain.cut_plans import MOST_STEPS, Demand, Plan, plan_words, recarve
from aifactory_hub.domain.gpu_layouts import CutSlice, GpuLayout
from aifactory_hub.domain.mig_parted import commands, config_text
from aifactory_hub.domain.plan_costs import MoreQuota, capacities, more_quota
from aifactory_hub.domain.quota import Usage
from aifactory_profiles import WHOLE_GPU, Device, Fit, fits, load_model

from ..support.gpus import CARDS, MODEL, gpu
from ..support.tenants import make_tenant

SMALL, LARGE = Device(MODEL, "nvidia.com/mig-1g.10gb"), Device(MODEL, "nvidia.com/mig-3g.40gb")
WHOLE = Device(MODEL, "nvidia.com/mig-7g.80gb")
SMALLS = ("1g.10gb",) * 7


def wants(device: Device, count: int = 1, since: float | None = 0.0, tenant: str = "nlp") -> Demand:
    return Demand(tenant, device.resource, {device: count}, since)


def after(plan: Plan) -> list[tuple[str, Mapping[str, int], int]]:
    return [(step.gpu.uuid, dict(step.after), len(step.starts)) for step in plan.steps]


def test_an_idle_gpu_is_cut_for_what_waits() -> None:
    plan = recarve([gpu("a", 0, *SMALLS)], CARDS, [wants(LARGE), wants(LARGE)])
    assert after(plan) == [("a/0", {"3g.40gb": 2}, 2)]
    assert plan.changes == {SMALL: -7, LARGE: 2}
    assert (plan.fits_now, plan.left, plan.candidates) == ((), (), 1)


def test_it_keeps_what_it_need_not_change() -> None:
    plan = recarve([gpu("a", 0, "3g.40gb", "3g.40gb")], CARDS, [wants(SMALL)])
    assert after(plan) == [("a/0", {"3g.40gb": 1, "1g.10gb": 4}, 1)], "one of two stays, and the rest is of use"


def test_a_gpu_with_a_held_slice_stays_as_it_is() -> None:
    plan = recarve([gpu("a", 0, "1g.10gb*", *SMALLS[1:]), gpu("a", 1, held=True)], CARDS, [wants(LARGE)])
    assert (plan.steps, plan.candidates, len(plan.left)) == ((), 0, 1)
    assert plan_words(plan) == "There is no slice for 1 of what waits, and no GPU is idle that might be cut anew."


def test_a_node_of_which_one_gpu_is_not_known_stays_as_it_is() -> None:
    seen = [gpu("a", 0, *SMALLS), gpu("a", 1, unknown="not heard"), gpu("b", 0, *SMALLS)]
    assert [step.gpu.node for step in recarve(seen, CARDS, [wants(LARGE)]).steps] == ["b"]


def test_what_fits_on_free_slices_needs_no_new_cut() -> None:
    plan = recarve([gpu("a", 0, *SMALLS)], CARDS, [wants(SMALL)])
    assert (plan.steps, len(plan.fits_now)) == ((), 1)
    assert plan_words(plan) == ("1 of what waits would fit on slices that are free now: quota is missing, not slices.")


def test_what_fits_already_is_not_taken_its_place() -> None:
    plan = recarve([gpu("a", 0, *SMALLS)], CARDS, [wants(SMALL, since=5), *(wants(LARGE, since=9) for _ in range(2))])
    assert after(plan) == [("a/0", {"1g.10gb": 4, "3g.40gb": 1}, 1)]
    assert len(plan.fits_now) == 1 and len(plan.left) == 1


def test_no_cut_lets_two_start_in_place_of_one_that_fits_already() -> None:
    plan = recarve(
        [gpu("a", 0, *SMALLS)], CARDS, [wants(SMALL, 7, since=9), wants(LARGE, since=1), wants(LARGE, since=2)]
    )
    assert (plan.steps, len(plan.fits_now), len(plan.left)) == ((), 1, 2)


def test_of_two_gpus_that_would_do_it_takes_one_on_a_node_where_nothing_is_held() -> None:
    seen = [gpu("a", 0, *SMALLS), gpu("a", 1, "3g.40gb*", "3g.40gb*"), gpu("b", 0, *SMALLS)]
    (step,) = recarve(seen, CARDS, [wants(LARGE)]).steps
    assert (step.gpu.node, step.held_beside) == ("b", 0)
    (step,) = recarve(seen[:2], CARDS, [wants(LARGE)]).steps
    assert (step.gpu.node, step.held_beside) == ("a", 2)


def test_whoever_has_waited_longer_comes_first() -> None:
    plan = recarve([gpu("a", 0, *SMALLS)], CARDS, [wants(LARGE, since=2, tenant="late"), wants(WHOLE, since=1)])
    assert [each.devices for step in plan.steps for each in step.starts] in ([{WHOLE: 1}], [{LARGE: 1}])
    both = recarve([gpu("a", 0, *SMALLS), gpu("a", 1, *SMALLS)], CARDS, [wants(LARGE, since=2), wants(WHOLE, since=1)])
    assert len(both.steps) == 2 and not both.left


def test_a_job_on_several_slices_starts_with_all_of_them_or_not_at_all() -> None:
    assert after(recarve([gpu("a", 0, *SMALLS)], CARDS, [wants(LARGE, 2)])) == [("a/0", {"3g.40gb": 2}, 1)]
    assert recarve([gpu("a", 0, *SMALLS)], CARDS, [wants(LARGE, 3)]).steps == ()


def test_a_gpu_that_is_not_cut_may_be_unless_it_is_shared_by_turns() -> None:
    plan = recarve([gpu("a", 0)], CARDS, [wants(LARGE)])
    assert plan.changes == {Device(MODEL, WHOLE_GPU): -1, LARGE: 2}
    assert recarve([gpu("a", 0)], CARDS, [wants(LARGE)], shared=[MODEL]).steps == ()


def test_another_model_is_no_help_and_unknown_starts_promise_nothing() -> None:
    assert recarve([gpu("a", 0, "3g.20gb", model="a100-40gb")], CARDS, [wants(LARGE)]).steps == ()
    card = load_model("rtx-pro-6000-blackwell")
    one, two = (Device(card.name, card.slice(name).resource) for name in ("1g.24gb", "2g.48gb"))
    seen = [GpuLayout("a", 0, "a/0", "", card.name, (CutSlice("4g.96gb", held=False),))]
    waiting = [Demand("nlp", "p", {device: 1}) for device in (one, two)]
    (step,) = recarve(seen, {card.name: card}, waiting).steps
    assert len(step.after) == 1, "two sizes on one GPU may not fit: where they may start is not known"


def test_a_plan_is_short_enough_for_a_person() -> None:
    seen = [gpu(f"n{number}", 0, *SMALLS) for number in range(60)]
    plan = recarve(seen, CARDS, [wants(WHOLE) for _ in range(60)])
    assert len(plan.steps) == MOST_STEPS and len(plan.left) == 60 - MOST_STEPS


names = st.sampled_from(["1g.10gb", "1g.20gb", "2g.20gb", "3g.40gb", "4g.40gb", "7g.80gb"])


@st.composite
def sites(draw: st.DrawFn) -> tuple[list[GpuLayout], list[Demand]]:
    """Some GPUs that can be, held here and there, and some that wait."""
    gpus = []
    for number in range(draw(st.integers(1, 4))):
        cut: list[str] = []
        for name in draw(st.lists(names, max_size=7)):
            if fits(CARDS[MODEL], [*cut, name]) is Fit.YES:
                cut.append(name)
        slices = [f"{name}*" if draw(st.integers(0, 4)) == 0 else name for name in cut]
        unknown = "not heard" if draw(st.integers(0, 9)) == 0 else ""
        gpus.append(gpu(f"n{number % 2}", number, *slices, unknown=unknown))
    asked = draw(st.lists(st.tuples(names, st.integers(1, 2), st.integers(0, 9)), max_size=8))
    return gpus, [wants(Device(MODEL, f"nvidia.com/mig-{name}"), count, at) for name, count, at in asked]


@settings(max_examples=150, deadline=None)
@given(sites())
def test_no_plan_touches_a_held_gpu_nor_cuts_one_as_it_can_not_be(site: tuple[list[GpuLayout], list[Demand]]) -> None:
    gpus, waiting = site
    plan = recarve(gpus, CARDS, waiting)
    touched = [step.gpu.uuid for step in plan.steps]
    assert len(set(touched)) == len(touched)
    clear = {each.node for each in gpus} - {each.node for each in gpus if each.unknown}
    for step in plan.steps:
        assert step.gpu.idle and step.gpu.node in clear
        assert fits(CARDS[MODEL], list(Counter(step.after).elements())) is Fit.YES
        assert step.starts, "a GPU is not changed for nothing"
    started = [each for step in plan.steps for each in step.starts]
    assert len(started) + len(plan.fits_now) + len(plan.left) == len(waiting)
    # All that is said to fit does so at once, on what is free then.
    free: Counter[Device] = Counter()
    new = {step.gpu.uuid: Counter(step.after) for step in plan.steps}
    for each in gpus:
        for name, count in new.get(each.uuid, each.free()).items():
            free[Device(MODEL, f"nvidia.com/mig-{name}")] += count
    for demand in (*started, *plan.fits_now):
        free.subtract(demand.devices)
    assert all(count >= 0 for count in free.values())


def test_the_file_names_all_gpus_of_a_node_and_changes_those_of_the_plan() -> None:
    seen = [gpu("a", 0, *SMALLS), gpu("a", 1, "3g.40gb*", "3g.40gb"), gpu("a", 2, held=True), gpu("b", 0, *SMALLS)]
    plan = recarve(seen, CARDS, [wants(LARGE) for _ in range(5)])
    assert yaml.safe_load(config_text(plan, seen)) == {
        "version": "v1",
        "mig-configs": {
            "recarve-1": [{"devices": [0], "mig-enabled": True, "mig-devices": {"3g.40gb": 2}}],
            "recarve-2": [
                {"devices": [0, 1], "mig-enabled": True, "mig-devices": {"3g.40gb": 2}},
                {"devices": [2], "mig-enabled": False},
            ],
        },
    }
    typed = commands(plan, seen)
    assert typed[:2] == ["kubectl cordon b", "kubectl label node b nvidia.com/mig.config=recarve-1 --overwrite"]
    assert typed[-1] == "kubectl uncordon a" and len(typed) == 8


def test_nodes_that_become_alike_share_a_configuration_and_no_plan_has_no_file() -> None:
    seen = [gpu("a", 0, *SMALLS), gpu("b", 0, *SMALLS)]
    plan = recarve(seen, CARDS, [wants(WHOLE), wants(WHOLE)])
    assert list(yaml.safe_load(config_text(plan, seen))["mig-configs"]) == ["recarve-1"]
    nothing = recarve(seen, CARDS, [])
    assert (config_text(nothing, seen), commands(nothing, seen)) == ("", [])
    assert plan_words(nothing) == "Nothing waits for slices."


def test_it_says_what_is_lost_and_whose_quota_that_no_longer_covers() -> None:
    plan = recarve([gpu("a", 0, *SMALLS)], CARDS, [wants(LARGE), wants(LARGE)])
    tenants = {name: make_tenant(name, quota={SMALL: 3, LARGE: 1}) for name in ("nlp", "vision")}
    lost, gained = capacities(plan, {SMALL: 7, LARGE: 2}, tenants)
    assert (lost.device, lost.carved, lost.after, lost.promised, lost.short) == (SMALL, 7, 0, 6, 6)
    assert (gained.device, gained.carved, gained.after, gained.short) == (LARGE, 2, 4, 0)
    assert lost.teams == ("nlp", "vision")


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        ({"nlp": Usage({LARGE: 1})}, (MoreQuota("nlp", LARGE, 2),)),
        ({"nlp": Usage({})}, (MoreQuota("nlp", LARGE, 1),)),
        ({"nlp": None}, None),
    ],
)
def test_new_slices_start_nothing_without_quota(
    usage: Mapping[str, Usage | None], expected: tuple[MoreQuota, ...] | None
) -> None:
    plan = recarve([gpu("a", 0, *SMALLS)], CARDS, [wants(LARGE), wants(LARGE)])
    assert more_quota(plan, {"nlp": make_tenant("nlp")}, usage) == expected


def test_what_has_its_quota_already_needs_no_more_of_it() -> None:
    admitted = Demand("nlp", "p", {LARGE: 1}, 0.0, admitted=True)
    plan = recarve([gpu("a", 0, *SMALLS)], CARDS, [admitted])
    assert more_quota(plan, {"nlp": make_tenant("nlp")}, {"nlp": Usage({LARGE: 1})}) == ()
