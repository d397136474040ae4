"""The registry while the process runs, on real files."""

from __future__ import annotations

import asyncio
import copy
import logging
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from traitlets.config import Config

from aifactory_hub.registry import Phase, Registry, RegistryProvider, contents
from aifactory_hub.registry import provider as provider_module
from aifactory_hub.registry.last_good import NAME
from aifactory_hub.registry.load import LARGEST

from ..support.job_service import make_registry
from .test_own_cards import CARD

GOOD = (Path(__file__).parents[1] / "e2e" / "tenants.yaml").read_text()
ROBOTS = """
  robots:
    vcluster: {namespace: vc-robots, name: robots}
    groups: [{group: teams/robots, role: member}]
    profiles: [cpu-small]
"""
MORE = GOOD.rstrip("\n") + ROBOTS
BROKEN = GOOD.replace("tenants:", "tenant:", 1)
WITH_CARD = GOOD.replace("[h100-80gb]", "[h100-80gb, lab-gpu]\n  cards: [card.yaml]").replace(
    "carved: {", "carved: {mig-1g.1gb: 2, "
)
OTHER_HUB = GOOD.replace("hub: ", "hub: x", 1)


class Site:
    """A provider of a file in ``folder``, and what its listeners heard."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "tenants.yaml"
        self.file.write_text(GOOD)
        self.now = 1000.0
        self.heard: list[tuple[set[str], set[str]]] = []
        self.open()

    def open(self) -> None:
        self.provider = RegistryProvider.open(self.file, self.file.parent / "kept", clock=lambda: self.now)
        self.provider.listen(self.hear)

    def hear(self, old: Registry, new: Registry) -> None:
        self.heard.append((set(old.tenants), set(new.tenants)))

    async def look(self, times: int = 2) -> None:
        for _ in range(times):
            self.now += 1
            await self.provider.look()

    @property
    def teams(self) -> set[str]:
        return set(self.provider.registry.tenants)

    @property
    def trouble(self) -> str:
        return self.provider.status.trouble


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


TEAMS = {"nlp", "vision"}


def write(file: Path, text: str) -> None:
    file.write_text(text)


def rename(file: Path, text: str) -> None:
    """As editors save."""
    beside = file.with_name(".tenants.yaml.swp")
    beside.write_text(text)
    beside.replace(file)


def swap(file: Path, text: str) -> None:
    """As kubelet updates a ConfigMap's volume: the file is a link into a folder that is a link, which is replaced."""
    folder, data = file.parent, file.parent / "..data"
    fresh = folder / f"..{len(list(folder.iterdir()))}"
    fresh.mkdir()
    (fresh / file.name).write_text(text)
    (folder / "..tmp").symlink_to(fresh.name)
    (folder / "..tmp").replace(data)
    if not file.is_symlink():
        file.unlink()
        file.symlink_to(Path("..data") / file.name)


@pytest.mark.parametrize("save", [write, rename, swap])
async def test_a_new_file_is_taken_however_it_is_saved(
    site: Site, save: Callable[[Path, str], None], caplog: pytest.LogCaptureFixture
) -> None:
    save(site.file, MORE)
    with caplog.at_level(logging.INFO):
        await site.look()
    assert site.teams == {*TEAMS, "robots"} and site.heard == [(TEAMS, {*TEAMS, "robots"})]
    assert [r.getMessage() for r in caplog.records] == [f"{site.file}: team robots added"]
    save(site.file, GOOD)
    await site.look()
    assert site.teams == TEAMS and len(site.heard) == 2
    await site.look(5)
    assert len(site.heard) == 2, "nobody is told of what did not change"


async def test_what_is_being_written_is_not_taken(site: Site) -> None:
    """Half a file can be a whole one with fewer teams."""
    half = GOOD[: GOOD.index("\n  vision:")] + "\n"
    for text in (half, MORE, half, MORE, half):
        site.file.write_text(text)
        await site.look(1)
        assert site.teams == TEAMS and not site.trouble
    site.file.write_text(MORE)
    await site.look()
    assert site.teams == {*TEAMS, "robots"}


async def test_fifty_changes_in_a_row_end_with_the_last(site: Site) -> None:
    for number in range(50):
        rename(site.file, MORE.replace("robots", f"robots{number}"))
        await site.look(number % 3)
    await site.look()
    assert site.teams == {*TEAMS, "robots49"}
    assert site.heard[-1][1] == site.teams
    assert all(before == after for (_, before), (after, _) in zip(site.heard, site.heard[1:], strict=False))


def delete(file: Path) -> None:
    file.unlink()


def folder_there(file: Path) -> None:
    file.unlink()
    file.mkdir()


def no_text(file: Path) -> None:
    file.write_bytes(b"\xff\xfe\x00")


def too_large(file: Path) -> None:
    file.write_text(GOOD + "#" * LARGEST)


def loop_of_links(file: Path) -> None:
    file.unlink()
    file.symlink_to(file.name)


SPOILED: dict[str, tuple[Callable[[Path], None], str]] = {
    "deleted": (delete, "No such file"),
    "a folder": (folder_there, "Is a directory"),
    "no text": (no_text, "not UTF-8"),
    "too large": (too_large, "more than 8 MiB"),
    "unreadable": (loop_of_links, "can't be read"),
    "broken": (lambda file: write(file, BROKEN), "tenants.yaml:"),
    "no YAML": (lambda file: write(file, "["), "not valid YAML"),
    "empty": (lambda file: write(file, ""), "the file is empty"),
}


@pytest.mark.parametrize("how", SPOILED)
async def test_what_can_not_be_used_changes_nothing_and_is_said_once(
    site: Site, how: str, caplog: pytest.LogCaptureFixture
) -> None:
    spoil, said = SPOILED[how]
    await site.look(1)
    read = site.provider.status.read_at
    spoil(site.file)
    await site.look(6)
    assert site.teams == TEAMS and site.heard == []
    assert said in site.trouble and str(site.file) in site.trouble and not site.provider.status.waits
    assert site.provider.status.read_at == read, "it is as old as the last good look"
    assert len([r for r in caplog.records if r.levelno >= logging.ERROR]) == 1
    if site.file.is_dir():
        site.file.rmdir()
    rename(site.file, GOOD)
    await site.look(1)
    assert not site.trouble and site.provider.status.read_at == site.now
    rename(site.file, MORE)
    await site.look()
    assert site.teams == {*TEAMS, "robots"}


async def test_the_same_trouble_that_comes_again_is_said_again(site: Site) -> None:
    for text in (BROKEN, GOOD, BROKEN):
        site.file.write_text(text)
        await site.look()
        assert bool(site.trouble) is (text is BROKEN)


async def test_what_takes_a_restart_waits_as_a_whole_with_line_and_key(site: Site) -> None:
    site.file.write_text(OTHER_HUB.rstrip("\n") + ROBOTS)
    await site.look()
    assert site.teams == TEAMS and site.heard == []
    assert site.provider.status.waits
    line = next(n for n, text in enumerate(OTHER_HUB.splitlines(), 1) if text.startswith("hub: "))
    assert f"{site.file}:{line}: hub: it has another value; restart the hub and the job service" in site.trouble
    assert GOOD in (site.file.parent / "kept" / NAME).read_text()
    site.open()
    assert site.teams == {*TEAMS, "robots"} and not site.trouble


async def test_a_start_with_a_broken_file_follows_it_once_it_is_corrected(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    site.file.write_text(BROKEN)
    site.open()
    assert site.trouble and site.provider.status.read_at is None
    before = len(caplog.records)
    await site.look(4)
    assert len(caplog.records) == before, "what was said at the start is not said again"
    site.file.write_text(MORE)
    await site.look()
    assert site.teams == {*TEAMS, "robots"} and not site.trouble
    site.file.write_text(BROKEN)
    site.open()
    assert site.teams == {*TEAMS, "robots"}, "the copy is of the last one that was taken"


async def test_a_card_beside_the_file_counts_with_it(site: Site) -> None:
    card = site.file.parent / "card.yaml"
    card.write_text(CARD)
    site.file.write_text(WITH_CARD)
    await site.look()
    assert not site.trouble, site.trouble
    told = len(site.heard)
    await site.look(4)
    assert len(site.heard) == told, "what is the same is not taken again"
    card.write_text("name: [")
    await site.look()
    assert "card.yaml" in site.trouble
    card.write_text(CARD)
    await site.look()
    assert not site.trouble


# Listeners


def recorder(told: list[str], name: str) -> Callable[[Registry, Registry], None]:
    return lambda _old, _new: told.append(name)


async def test_rights_go_before_the_parts_change_and_come_after(site: Site) -> None:
    told: list[str] = []
    site.provider.listen(recorder(told, "grant"), Phase.GRANT)
    site.provider.listen(recorder(told, "part"))
    site.provider.listen(recorder(told, "revoke"), Phase.REVOKE)
    site.file.write_text(MORE)
    await site.look()
    assert told == ["revoke", "part", "grant"]


async def test_no_right_is_granted_before_every_part_has_followed(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    told: list[str] = []
    fails = True

    def part(old: Registry, new: Registry) -> None:
        assert set(old.tenants) == TEAMS, "it is told from what it knows"
        if fails:
            raise RuntimeError("not now")
        told.append("part")

    site.provider.listen(recorder(told, "grant"), Phase.GRANT)
    site.provider.listen(part)
    site.provider.listen(recorder(told, "other part"))
    site.file.write_text(MORE)
    await site.look(4)
    assert told == ["other part"]
    assert "a part could not follow" in caplog.text
    fails = False
    await site.look(1)
    assert told == ["other part", "part", "grant"]


async def test_the_event_loop_goes_on_while_the_file_is_checked(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """The check waits for a coroutine, which it could never do in the event loop's own thread."""
    going, judge, threads = threading.Event(), contents.judge, []

    def slow(*args: object) -> object:
        threads.append(threading.current_thread())
        assert going.wait(20)
        return judge(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(provider_module, "judge", slow)
    site.file.write_text(MORE)
    await site.look(1)
    look = asyncio.create_task(site.look(1))
    while not threads:
        await asyncio.sleep(0)
    going.set()
    await look
    assert threads[0] is not threading.main_thread() and "robots" in site.teams


async def test_it_runs_by_itself_and_survives_a_look_that_fails(
    site: Site, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(provider_module, "INTERVAL", 0.01)
    monkeypatch.setattr(provider_module, "SETTLE", 0.01)
    look, failed = contents.look_at, asyncio.Event()

    def once(*args: object) -> object:
        if not failed.is_set():
            failed.set()
            raise MemoryError
        return look(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(provider_module, "look_at", once)
    site.provider.begin()
    site.file.write_text(MORE)
    async with asyncio.timeout(20):
        while "robots" not in site.teams:
            await asyncio.sleep(0.01)
    assert "could not be looked at" in caplog.text
    assert site.provider._task is not None
    site.provider._task.cancel()


def test_without_an_event_loop_it_stays_as_it_is(site: Site) -> None:
    site.provider.begin()
    assert site.provider._task is None


async def test_a_configuration_that_is_copied_has_the_same_one(site: Site) -> None:
    c = Config()
    c.Some.registry_provider, c.Some.get_registry = site.provider, site.provider.current
    copied = copy.deepcopy(c)
    assert copied.Some.registry_provider is site.provider
    site.file.write_text(MORE)
    await site.look()
    assert "robots" in copied.Some.get_registry().tenants
    assert "robots" in site.provider.tenants and len(site.provider.tenants) == 3


async def test_one_without_a_file_changes_when_it_is_told_to() -> None:
    provider = RegistryProvider(make_registry())
    await provider.look()
    assert set(provider.registry.tenants) == {"nlp", "vision"} and not provider.status.trouble
