"""Which environment may start where, at which version, and what follows it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from aifactory_hub.domain.environment_fit import Fit, Sizes, check_pairing, pairings
from aifactory_hub.domain.environments import (
    Choice,
    Environment,
    GpuUse,
    Kind,
    Needs,
    State,
    Version,
    changes_words,
    choose_environment,
    package_changes,
    succession,
    version_words,
)
from aifactory_hub.domain.refusals import Refusal, RefusalReason
from aifactory_profiles import SiteProfile, load_catalogue

from ..support.tenants import make_tenant

GIB = 2**30
NOW = 1_800_000_000.0
CATALOGUE = load_catalogue(
    ["h100-80gb"],
    [
        SiteProfile("cpu-small", cpu_only=True, cpu_millicores=250, memory_bytes=GIB),
        SiteProfile("cpu-large", cpu_only=True, cpu_millicores=4000, memory_bytes=16 * GIB),
        SiteProfile("mig-1g.10gb", cpu_millicores=500, memory_bytes=2 * GIB, memory_limit_bytes=4 * GIB),
        SiteProfile("whole", gpu="whole", memory_bytes=64 * GIB),
        SiteProfile("turn", gpu="shared", replicas=4, memory_bytes=8 * GIB),
    ],
)
MENU = ("cpu-small", "cpu-large", "mig-1g.10gb", "mig-3g.40gb", "whole", "turn")
SIZES = Sizes([CATALOGUE.profile(name) for name in MENU], CATALOGUE.cards, (550, 90))


def fits(sizes: Sizes = SIZES, **needs: Any) -> dict[str, tuple[str, str | None]]:
    return {name: (each.fit.value, each.instead) for name, each in pairings(Needs(**needs), sizes).items()}


def test_what_needs_nothing_fits_everywhere() -> None:
    assert set(fits().values()) == {("fits", None)}


def test_too_little_memory_refuses_with_the_smallest_that_fits_of_its_kind() -> None:
    found = fits(memory_bytes=8 * GIB)
    assert found["cpu-small"] == ("refuses", "cpu-large")
    assert found["mig-1g.10gb"] == ("refuses", "turn")
    assert found["cpu-large"] == found["mig-3g.40gb"] == ("fits", None)


def test_memory_that_is_not_guaranteed_warns() -> None:
    pairing = pairings(Needs(memory_bytes=3 * GIB), SIZES)["mig-1g.10gb"]
    assert pairing.fit is Fit.WARNS
    assert pairing.why == "it needs 3 GiB of memory, and only 2 GiB of this size are guaranteed"


def test_a_gpu_that_is_needed_and_one_that_would_idle() -> None:
    needed = fits(gpu=GpuUse.REQUIRED)
    assert needed["cpu-large"] == ("refuses", "mig-1g.10gb")
    assert needed["whole"] == ("fits", None)
    idle = pairings(Needs(gpu=GpuUse.NONE), SIZES)
    assert (idle["cpu-small"].fit, idle["whole"].fit) == (Fit.FITS, Fit.WARNS)
    assert "would be idle" in idle["whole"].why


def test_gpu_memory_is_what_a_program_gets_and_not_what_the_slice_is_called() -> None:
    found = pairings(Needs(device_bytes=int(9.9 * GIB)), SIZES)
    assert found["mig-1g.10gb"].why == "it needs 10630044057 bytes of GPU memory, and this size has 9.75 GiB"
    assert (found["mig-1g.10gb"].fit, found["mig-3g.40gb"].fit) == (Fit.REFUSES, Fit.FITS)
    assert found["cpu-small"].fit is Fit.FITS
    assert found["turn"].fit is Fit.WARNS
    assert "others use the same GPU's memory" in found["turn"].why


def test_gpu_memory_that_nobody_has_measured_is_unknown_and_not_too_little() -> None:
    card = CATALOGUE.cards[0]
    unmeasured = replace(card, slices=tuple(replace(piece, usable_gib=None) for piece in card.slices))
    found = pairings(Needs(device_bytes=9 * GIB), replace(SIZES, cards=(unmeasured,)))
    assert (found["mig-1g.10gb"].fit, found["whole"].fit) == (Fit.WARNS, Fit.WARNS)
    assert "nobody has measured" in found["mig-1g.10gb"].why
    assert pairings(Needs(device_bytes=11 * GIB), replace(SIZES, cards=(unmeasured,)))["mig-1g.10gb"].fit is Fit.REFUSES


@pytest.mark.parametrize(
    ("driver", "fit"),
    [((550, 54), Fit.FITS), ((560,), Fit.FITS), ((535, 183), Fit.REFUSES), (None, Fit.WARNS)],
    ids=["new enough", "newer", "older", "not known"],
)
def test_the_driver(driver: tuple[int, ...] | None, fit: Fit) -> None:
    found = pairings(Needs(driver=(550,)), replace(SIZES, driver=driver))
    assert found["mig-1g.10gb"].fit is fit
    assert found["cpu-small"].fit is Fit.FITS


def test_where_nothing_fits_nothing_is_named_instead() -> None:
    pairing = pairings(Needs(memory_bytes=2**50), SIZES)["whole"]
    assert (pairing.fit, pairing.instead) == (Fit.REFUSES, None)


def torch(**changed: Any) -> Environment:
    versions = {
        "3": Version("3", "i3", packages={"numpy": "2.1", "torch": "2.5"}),
        "2": Version("2", "i2", State.DEPRECATED, NOW + 60, "3", "old", {"numpy": "1.26", "pip": "24"}),
        "1": Version("1", "i1", State.DEPRECATED, NOW - 60, "2"),
        "0": Version("0", "i0", State.BLOCKED, None, "3", "it has a hole"),
    }
    return replace(Environment("torch", "PyTorch", Kind.LAB, versions), **changed)


CODE = Environment("vscode", "VS Code", Kind.CODE, {"1": Version("1", "c1")}, teams=("vision",))
SITE = {"torch": torch(), "vscode": CODE}
NLP = make_tenant("nlp")


def chosen(asked: str | None, **site: Any) -> str | RefusalReason | None:
    found = choose_environment(asked, NLP, site or SITE, NOW)
    return found.reason if isinstance(found, Refusal) else None if found is None else found.name


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        (None, "torch@3"),
        ("", "torch@3"),
        ("torch", "torch@3"),
        ("torch@2", "torch@2"),
        ("torch@1", RefusalReason.ENVIRONMENT_BLOCKED),
        ("torch@0", RefusalReason.ENVIRONMENT_BLOCKED),
        ("torch@9", RefusalReason.ENVIRONMENT_NOT_ALLOWED),
        ("vscode", RefusalReason.ENVIRONMENT_NOT_ALLOWED),
        ("nothing", RefusalReason.ENVIRONMENT_NOT_ALLOWED),
    ],
)
def test_the_choice_of_an_environment(asked: str | None, found: str | RefusalReason) -> None:
    assert chosen(asked) == found


def test_another_teams_environment_and_none_are_refused_in_the_same_words() -> None:
    said = [choose_environment(name, NLP, SITE, NOW) for name in ("vscode", "absent")]
    texts = [each.message.replace("vscode", "X").replace("absent", "X") for each in said if isinstance(each, Refusal)]
    assert len(texts) == 2
    assert texts[0] == texts[1]


def test_a_refused_version_says_why_and_what_follows_it() -> None:
    found = choose_environment("torch@0", NLP, SITE, NOW)
    assert isinstance(found, Refusal)
    assert found.message == "torch 0 is blocked: it has a hole. Choose torch@3."


def test_a_site_without_environments_has_no_choice() -> None:
    assert choose_environment(None, NLP, {}, NOW) is None
    refused = choose_environment("torch", NLP, {}, NOW)
    assert isinstance(refused, Refusal)
    assert refused.reason is RefusalReason.BAD_FIELD


def test_a_team_without_an_environment_is_told_so() -> None:
    assert chosen(None, vscode=CODE) is RefusalReason.ENVIRONMENT_NOT_ALLOWED


def test_only_ended_versions_start_nothing() -> None:
    ended = torch(versions={"0": torch().versions["0"]})
    assert chosen(None, torch=ended) is RefusalReason.ENVIRONMENT_BLOCKED


def test_a_pair_that_does_not_fit_is_refused_with_what_does() -> None:
    choice = Choice(torch(needs=Needs(memory_bytes=8 * GIB)), torch().versions["3"])
    refused = check_pairing(choice, CATALOGUE.profile("cpu-small"), SIZES)
    assert isinstance(refused, Refusal)
    assert (refused.reason, refused.fits_now) == (RefusalReason.DOES_NOT_FIT, ("cpu-large",))
    assert refused.message.startswith("PyTorch does not fit on cpu-small: it needs 8 GiB of memory, and this size has")
    assert not isinstance(check_pairing(choice, CATALOGUE.profile("cpu-large"), SIZES), Refusal)


def test_the_successor_is_the_last_that_may_start_with_the_difference_of_packages() -> None:
    found = succession(torch(), "2", NOW)
    assert found is not None
    assert (found.after.name, changes_words(found.changes)) == (
        "3",
        "3 packages differ: numpy 1.26 to 2.1, pip is gone, torch 2.5 is new",
    )
    far = succession(torch(), "1", NOW)
    assert far is not None
    assert (far.after.name, far.changes) == ("3", None)
    assert succession(torch(), "3", NOW) is None
    assert succession(torch(), "unknown", NOW) is None


def test_successors_in_a_circle_end() -> None:
    around = {"a": Version("a", "i", successor="b"), "b": Version("b", "i", State.BLOCKED, None, "a", "x")}
    assert succession(torch(versions=around), "a", NOW) is None


def test_packages_that_differ() -> None:
    assert package_changes({"a": "1"}, {"a": "1"}) == ()
    many = package_changes({}, {f"p{n}": "1" for n in range(9)})
    assert changes_words(many).endswith("p3 1 is new and 5 more")
    assert (changes_words(()), changes_words(None)) == (
        "the packages are the same",
        "which packages differ is not known",
    )


def test_how_a_version_stands_in_words() -> None:
    versions = torch().versions
    assert version_words(versions["3"]) == ""
    assert version_words(versions["2"]) == "deprecated until 2027-01-15 (old)"
    assert version_words(versions["0"]) == "blocked (it has a hole)"
