"""A good file becomes a registry, with every value where it belongs."""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path

import pytest

from aifactory_hub.domain.quota import Quota
from aifactory_hub.domain.tenants import GroupRule, Role, VCluster
from aifactory_hub.registry import Addresses, JobsConfig, NotebookConfig, RegistryError, load_registry, read_registry
from aifactory_profiles import Device

from .files import GOOD, SOURCE, changed, problems

SMALL = Device("h100-80gb", "nvidia.com/mig-1g.10gb")
LARGE = Device("h100-80gb", "nvidia.com/mig-3g.40gb")


def test_the_whole_file_is_read(tmp_path: Path) -> None:
    file = tmp_path / SOURCE
    file.write_text(GOOD, encoding="utf-8")
    registry = load_registry(file)
    assert (registry.source, registry.hub) == (str(file), "main")
    assert registry.cluster.carved == {SMALL: 7, LARGE: 2}
    assert (registry.cluster.cohort, registry.cluster.simulated) == ("factory", True)
    assert registry.identity.scopes == ("openid", "profile", "email", "groups")
    assert registry.notebook == NotebookConfig(
        image="images.example.org/notebook:1", storage="10Gi", storage_class="fast", start_timeout=300
    )
    assert registry.jobs == JobsConfig(
        image="images.example.org/notebook:1",
        max_upload=256 * 2**20,
        max_artifacts=256 * 2**20,
        max_log=4 * 2**20,
        deadline=7200,
    )
    nlp = registry.tenants["nlp"]
    assert (nlp.name, nlp.display_name, nlp.vcluster) == ("nlp", "Language", VCluster("vc-nlp", "nlp"))
    assert nlp.rules == (GroupRule("teams/nlp", Role.MEMBER), GroupRule("teams/nlp/admins", Role.ADMIN))
    assert nlp.quota == Quota({SMALL: 3, LARGE: 1}, {SMALL: 2})
    assert registry.tenants["vision"].display_name == "vision"
    assert registry.catalogue.profile("mig-1g.10gb").price_per_hour == Decimal("0.40")
    assert registry.catalogue.profile("mig-1g.10gb").currency == ""
    assert registry.catalogue.profile("cpu-small").devices == {}


def test_what_pages_say_of_the_site_has_defaults_and_a_link_for_each_kind_of_contact() -> None:
    plain = read_registry(GOOD, SOURCE).site
    assert (plain.name, plain.help, plain.contact, plain.contact_link) == ("AIFactory Hub", None, None, None)
    for contact, link in (
        ("gpu-help@example.org", "mailto:gpu-help@example.org"),
        ("https://help.example.org/a@b.c", "https://help.example.org/a@b.c"),
    ):
        text = GOOD.replace("profiles:\n", f"site: {{name: GPU Hub, contact: '{contact}'}}\nprofiles:\n", 1)
        site = read_registry(text, SOURCE).site
        assert (site.name, site.contact, site.contact_link) == ("GPU Hub", contact, link)


def test_all_prices_are_in_the_site_s_currency() -> None:
    text = GOOD.replace("profiles:\n", "billing: {currency: CHF}\nprofiles:\n", 1)
    catalogue = read_registry(text, "tenants.yaml").catalogue
    assert {catalogue.profile(name).currency for name in ("cpu-small", "mig-1g.10gb")} == {"CHF"}


@pytest.mark.parametrize("name", ["nlp", "vision"])
def test_every_profile_of_a_tenant_is_in_the_catalogue(name: str) -> None:
    registry = read_registry(GOOD, SOURCE)
    for profile in registry.tenants[name].profiles:
        assert registry.catalogue.profile(profile).name == profile


def test_addresses_have_one_form_however_they_are_written() -> None:
    text = changed("hub/api\n", "hub/api/\n").replace("services/aifactory/\n", "services/aifactory\n")
    wanted = Addresses("http://hub.example.org:8081/hub/api", "http://hub.example.org/services/aifactory/")
    assert read_registry(text, SOURCE).addresses == wanted


@pytest.mark.parametrize(
    ("written", "seconds"), [("90", 90), ("90s", 90), ("30m", 1800), ("24h", 86400), ("2d", 172800)]
)
def test_lengths_of_time_are_read_in_seconds(written: str, seconds: int) -> None:
    assert read_registry(changed("deadline: 2h", f"deadline: {written}"), SOURCE).jobs.deadline == seconds


@pytest.mark.parametrize("written", ["2", "2.0", "2000m", '"2"'])
def test_cpu_may_be_written_as_number_or_text(written: str) -> None:
    registry = read_registry(changed("cpu: 500m", f"cpu: {written}"), SOURCE)
    assert registry.catalogue.profile("mig-1g.10gb").requests.cpu_millicores == 2000


def test_aliases_and_merges_of_yaml_may_be_used() -> None:
    text = changed("quota: {mig-1g.10gb: 3, nvidia.com/mig-3g.40gb: 1}", "quota: &q {mig-1g.10gb: 3}")
    text = text.replace("profiles: [cpu-small, mig-1g.10gb, mig-3g.40gb]", "profiles: &p [mig-1g.10gb]")
    text = text.replace("profiles: [mig-1g.10gb]\n    quota: {mig-1g.10gb: 3}", "profiles: *p\n    quota: {<<: *q}")
    vision = read_registry(text, SOURCE).tenants["vision"]
    assert (vision.profiles, vision.quota.nominal) == (("mig-1g.10gb",), {SMALL: 3})


def test_a_cluster_may_have_no_gpu_at_all() -> None:
    text = changed("gpu_models: [h100-80gb]", "gpu_models: []").replace(", mig-1g.10gb, mig-3g.40gb]", "]")
    lines = [
        line
        for line in text.splitlines()
        if not any(word in line for word in ("carved:", "quota:", "borrowing:", "  mig-1g.10gb: {cpu"))
    ]
    text = "\n".join(lines).replace("profiles: [mig-1g.10gb]", "profiles: [cpu-small]")
    assert read_registry(text, SOURCE).tenants["nlp"].quota == Quota()


def test_two_models_in_one_cluster_keep_their_slices_apart() -> None:
    text = changed("[h100-80gb]", "[h100-80gb, a100-40gb]").replace("mig-1g.10gb", "mig-1g.5gb")
    registry = read_registry(text, SOURCE)
    assert registry.catalogue.profile("mig-1g.5gb").gpu_model == "a100-40gb"
    assert registry.catalogue.profile("mig-3g.40gb").gpu_model == "h100-80gb"


@pytest.mark.parametrize("name", ["mig-1g.10gb", "nvidia.com/mig-1g.10gb"])
def test_a_slice_that_two_models_share_must_say_whose_it_is(name: str) -> None:
    text = changed("[h100-80gb]", "[h100-80gb, a100-80gb]").replace("mig-1g.10gb", name, 1)
    assert (
        f"tenants.yaml:6: cluster.carved.{name}: {name} is a slice of several GPU models; "
        "say which: h100-80gb:mig-1g.10gb or a100-80gb:mig-1g.10gb"
    ) in problems(text)


def test_two_models_each_have_their_own_quota_of_a_slice_that_they_share() -> None:
    text = changed("[h100-80gb]", "[h100-80gb, a100-80gb]")
    text = re.sub(r"(nvidia.com/)?mig-(1g.10gb|3g.40gb)", r"h100-80gb:mig-\2", text)
    text = text.replace("carved: {", "carved: {a100-80gb:mig-1g.10gb: 5, ")
    text = text.replace("quota: {", "quota: {a100-80gb:mig-1g.10gb: 2, ")
    registry = read_registry(text, SOURCE)
    on_a100 = SMALL._replace(flavor="a100-80gb")
    assert (registry.cluster.carved[SMALL], registry.cluster.carved[on_a100]) == (7, 5)
    assert registry.tenants["nlp"].quota.nominal == {on_a100: 2, SMALL: 3, LARGE: 1}
    assert registry.catalogue.profile("a100-80gb:mig-1g.10gb").takes == {on_a100: 1}


def test_a_file_that_is_not_there_is_said_to_be_missing(tmp_path: Path) -> None:
    file = tmp_path / "none.yaml"
    with pytest.raises(RegistryError) as caught:
        load_registry(file)
    assert str(caught.value) == (
        f"{file}: the file can't be read: No such file or directory; "
        "name an existing file (AIFACTORY_HUB_TENANTS) that the hub may read"
    )


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    file = tmp_path / SOURCE
    file.write_bytes(b"hub: \xff\n")
    with pytest.raises(RegistryError) as caught:
        load_registry(file)
    assert str(caught.value) == f"{file}: the file is not UTF-8 text (byte 5); save it as UTF-8"
