"""The catalogue: cards and site settings become profiles."""

from __future__ import annotations

from decimal import Decimal

import pytest

from aifactory_profiles import CardError, ProfileError, Resources, SiteProfile, load_catalogue

GIB = 2**30


def test_every_slice_of_a_model_is_a_profile() -> None:
    names = load_catalogue(["h100-80gb"]).names
    assert names[:3] == ("mig-1g.10gb", "mig-1g.10gb.me", "mig-1g.20gb")
    assert len(names) == 7


def test_a_slice_gets_its_share_of_the_machine_when_the_site_says_nothing() -> None:
    profile = load_catalogue(["h100-80gb"]).profile("mig-3g.40gb")
    assert profile.requests == Resources(6000, 48 * GIB, {"nvidia.com/mig-3g.40gb": 1})
    assert profile.limits == profile.requests
    assert profile.price_per_hour is None
    assert (profile.gpu_model, profile.slice) == ("h100-80gb", "3g.40gb")
    assert profile.node_labels == {"nvidia.com/gpu.product": "NVIDIA-H100-80GB-HBM3"}
    assert profile.display_name == "3g.40gb of an NVIDIA H100 80GB"
    assert profile.description == "39.5 GiB usable"


def test_what_the_site_says_goes_before_the_defaults() -> None:
    site = SiteProfile(
        "mig-1g.10gb",
        cpu_millicores=500,
        memory_bytes=2 * GIB,
        cpu_limit_millicores=2000,
        memory_limit_bytes=4 * GIB,
        price_per_hour=Decimal("0.40"),
        currency="EUR",
        display_name="Small",
        description="to try things out",
    )
    profile = load_catalogue(["h100-80gb"], [site]).profile("mig-1g.10gb")
    devices = {"nvidia.com/mig-1g.10gb": 1}
    assert profile.requests == Resources(500, 2 * GIB, devices)
    assert profile.limits == Resources(2000, 4 * GIB, devices)
    assert (profile.price_per_hour, profile.currency, profile.display_name) == (Decimal("0.40"), "EUR", "Small")
    assert profile.description == "to try things out"


def test_requests_and_limits_carry_the_same_devices() -> None:
    catalogue = load_catalogue(["h100-80gb", "a100-40gb"])
    assert all(p.requests.devices == p.limits.devices for p in map(catalogue.profile, catalogue.names))
    assert all(list(catalogue.profile(name).devices.values()) == [1] for name in catalogue.names)


def test_a_site_may_have_profiles_without_a_gpu() -> None:
    site = SiteProfile("cpu-small", cpu_only=True, cpu_millicores=250, memory_bytes=GIB)
    profile = load_catalogue([], [site]).profile("cpu-small")
    assert profile.devices == {}
    assert profile.node_labels == {}
    assert profile.description == ""


def test_a_name_that_two_models_share_says_the_model() -> None:
    catalogue = load_catalogue(["h100-80gb", "a100-40gb"])
    assert "mig-1g.10gb" not in catalogue.names
    h100, a100 = catalogue.profile("h100-80gb:mig-1g.10gb"), catalogue.profile("a100-40gb:mig-1g.10gb")
    # One name and two sizes: this is why the model has to be said.
    assert h100.description == "9.75 GiB usable"
    assert a100.description == "9.62 GiB usable"
    assert h100.node_labels != a100.node_labels
    assert "mig-3g.40gb" in catalogue.names


def test_the_order_is_the_cards_then_the_site_s() -> None:
    site = [SiteProfile(name, cpu_only=True, cpu_millicores=1, memory_bytes=1) for name in ("z", "a")]
    assert load_catalogue(["a100-40gb"], site).names[-3:] == ("mig-7g.40gb", "z", "a")


@pytest.mark.parametrize(
    ("site", "says"),
    [
        pytest.param(SiteProfile("mig-9g.99gb"), "no card has it", id="no such slice"),
        pytest.param(SiteProfile("mig-1g.10gb", cpu_only=True), "it is a GPU slice", id="a slice without a GPU"),
        pytest.param(SiteProfile("cpu", cpu_only=True, memory_bytes=1), "needs cpu and memory", id="no cpu"),
        pytest.param(SiteProfile("cpu", cpu_only=True, cpu_millicores=1), "needs cpu and memory", id="no memory"),
        pytest.param(
            SiteProfile("mig-1g.10gb", cpu_limit_millicores=1),
            "cpu_limit (1m) is below the requested cpu (2000m)",
            id="cpu limit below the request",
        ),
        pytest.param(
            SiteProfile("mig-1g.10gb", memory_bytes=2 * GIB, memory_limit_bytes=GIB),
            "memory_limit (1Gi) is below the requested memory (2Gi)",
            id="memory limit below the request",
        ),
    ],
)
def test_a_site_profile_that_can_t_be_is_refused(site: SiteProfile, says: str) -> None:
    with pytest.raises(ProfileError) as caught:
        load_catalogue(["h100-80gb"], [site])
    assert caught.value.profile == site.name
    assert says in str(caught.value)


def test_a_model_without_a_card_is_refused() -> None:
    with pytest.raises(CardError, match="no card for GPU model 'v100'"):
        load_catalogue(["v100"])


def test_an_unknown_profile_is_a_key_error() -> None:
    with pytest.raises(KeyError, match="mig-9g"):
        load_catalogue(["h100-80gb"]).profile("mig-9g")


def test_a_model_whose_nodes_can_t_be_selected_is_refused() -> None:
    with pytest.raises(
        CardError, match=r"the nodes of gb300 can't be selected: their nvidia.com/gpu.product is unknown"
    ):
        load_catalogue(["gb300"])
