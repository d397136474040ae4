"""Granted teams beside tenants.yaml: fetched, kept, followed; and what a template fills in."""

from __future__ import annotations

import logging
import re
from pathlib import Path

import pytest

from aifactory_hub.registry import RegistryError, RegistryProvider, load_registry, read_registry
from aifactory_hub.registry.granted import GrantedTeams
from aifactory_hub.registry.team_files import granted_names, join_files, split_all, split_files

from .files import GOOD

FILE = (
    GOOD.replace("{mig-1g.10gb: 7, ", "{mig-1g.10gb: 9, ")
    + """
approvals: {approvers: {platform: [corp/platform]}}
self_service:
  templates:
    small:
      profiles: [cpu-small, mig-1g.10gb]
      groups: ["teams/*"]
      most: {mig-1g.10gb: 2}
      sleep_after: 2h
      limits: {pods: 20}
      approval: [{above: {mig-1g.10gb: 1}, approvers: {platform: 2}}]
"""
)
AUDIO = "template: small\ngroups: [{group: teams/audio, role: member}]\nquota: {mig-1g.10gb: 1}\nexpires: 2027-03-31\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "site" / "tenants.yaml"
    file.parent.mkdir()
    file.write_text(FILE)
    return file


def test_files_are_joined_and_split_with_who_asked_for_them() -> None:
    text = join_files("main\n", {"a": "1\n"}, {"b": "2\n", "a": "3\n"})
    assert split_files(text) == ("main\n", {"a": "1\n", "b": "2\n"})
    assert split_all(text) == ("main\n", {"a": "1\n"}, {"b": "2\n"})
    assert granted_names(text) == {"b"}


def test_a_template_says_what_the_team_leaves_out(file: Path) -> None:
    (file.parent / "tenants.d").mkdir()
    (file.parent / "tenants.d" / "audio.yaml").write_text(AUDIO + "limits: {pods: 7}\n")
    registry = load_registry(file)
    audio = registry.tenants["audio"]
    assert (audio.vcluster.namespace, audio.sleep_after, audio.limits.pods) == ("vc-audio", 7200, 7)
    assert audio.retirement is not None and audio.retirement.notice == 14 * 86400
    assert (audio.template, registry.granted) == ("small", ()), "in the site's own file it may say what it likes"


def test_a_size_of_which_a_team_has_nothing_is_not_on_its_menu(file: Path) -> None:
    text = join_files(FILE, {"audio": AUDIO.replace("quota: {mig-1g.10gb: 1}\n", "")})
    assert read_registry(text, str(file)).tenants["audio"].profiles == ("cpu-small",)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("template: small", "template: smal", "there is no template 'smal'; did you mean small?"),
        ("mig-1g.10gb: 1", "mig-1g.10gb: 3", "3 is more than the template's 2"),
        ("teams/audio", "corp/all", "the template does not allow the group 'corp/all'"),
        ("expires", "isolation: 1\nexpires", "a granted team may not say this"),
        ("expires", "sleep_after: 1h\nexpires", "a granted team may not say this"),
        ("expires: 2027-03-31", "expires: soon", "'soon' is not a day"),
        ("template: small\n", "", "a granted team has no template"),
    ],
)
def test_a_granted_team_that_is_more_than_its_template_is_named_with_its_file(
    file: Path, old: str, new: str, said: str
) -> None:
    text = join_files(FILE, {}, {"audio": AUDIO.replace(old, new)})
    with pytest.raises(RegistryError) as error:
        read_registry(text, str(file))
    assert said in str(error.value) and "audio.yaml" in str(error.value)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("{platform: 2}", "{plattform: 2}", "there is no group of approvers 'plattform'; did you mean platform?"),
        ("[cpu-small, mig-1g.10gb]\n      groups", "[cpu-smal]\n      groups", "there is no profile 'cpu-smal'"),
        ("most: {mig-1g.10gb: 2}", "most: {mig-1g.11gb: 2}", "there is no device 'mig-1g.11gb'"),
        ("above: {mig-1g.10gb: 1}", "above: {mig: 1}", "there is no device 'mig'"),
    ],
)
def test_a_template_that_can_not_be_is_refused(old: str, new: str, said: str) -> None:
    assert old in FILE
    with pytest.raises(RegistryError) as error:
        read_registry(FILE.replace(old, new), "tenants.yaml")
    assert said in str(error.value)


class Service:
    """The job service, which may be away."""

    def __init__(self) -> None:
        self.says: GrantedTeams | None = GrantedTeams()

    async def fetch(self) -> GrantedTeams:
        if self.says is None:
            raise ConnectionError("it is away")
        return self.says


async def look(provider: RegistryProvider) -> None:
    """Two rounds of ``run``: what was seen once is taken when it is there again."""
    for _ in range(2):
        await provider._fetch_granted()
        await provider.look()


async def test_what_is_granted_is_followed_and_outlives_the_service(
    file: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    service, kept = Service(), tmp_path / "kept"
    provider = RegistryProvider.open(file, kept)
    provider.follow_granted(service.fetch)
    service.says = GrantedTeams({"audio": AUDIO})
    await look(provider)
    assert provider.registry.granted == ("audio",)
    service.says = None
    with caplog.at_level(logging.WARNING):
        await look(provider)
        await look(provider)
    assert caplog.text.count("it is away") == 1, "told once"
    assert "audio" in provider.registry.tenants
    # A process that starts while the service is away has its own copy.
    again = RegistryProvider.open(file, kept)
    assert again.registry.granted == ("audio",) and again.status.trouble == ""
    # An older database of the service names none: the team stays.
    service.says = GrantedTeams()
    await look(provider)
    assert "audio" in provider.registry.tenants
    service.says = GrantedTeams(removed=("audio",))
    await look(provider)
    assert "audio" not in provider.registry.tenants


async def test_until_the_service_has_said_which_teams_there_are_one_that_is_missing_may_be_one_of_them(
    file: Path, tmp_path: Path
) -> None:
    service = Service()
    provider = RegistryProvider.open(file, tmp_path / "kept")
    assert provider.complete, "nobody is asked"
    provider.follow_granted(service.fetch)
    service.says = None
    await look(provider)
    assert not provider.complete
    service.says = GrantedTeams({"audio": AUDIO})
    await provider._fetch_granted()
    assert not provider.complete, "it was said, and the registry has it not yet"
    await look(provider)
    assert provider.complete and "audio" in provider.registry.tenants
    service.says = None
    await look(provider)
    assert provider.complete, "the service was heard once since the start"


async def test_without_templates_nobody_can_have_asked_for_a_team(tmp_path: Path) -> None:
    file = tmp_path / "tenants.yaml"
    file.write_text(re.sub(r"^self_service:\n(?: .*\n)+", "", FILE, flags=re.MULTILINE))
    provider = RegistryProvider.open(file, tmp_path / "kept")
    provider.follow_granted(Service().fetch)
    assert not provider.registry.self_service.templates and provider.complete


async def test_one_that_can_not_be_used_changes_nothing_and_is_told(file: Path, tmp_path: Path) -> None:
    service = Service()
    provider = RegistryProvider.open(file, tmp_path / "kept")
    provider.follow_granted(service.fetch)
    service.says = GrantedTeams({"audio": AUDIO.replace("mig-1g.10gb: 1", "mig-1g.10gb: 9")})
    await look(provider)
    assert "audio" not in provider.registry.tenants
    assert "more than the template's 2" in provider.status.trouble
