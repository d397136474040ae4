"""The registry while the process runs: the file is looked at every few seconds, and who uses it is told of a change."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from enum import IntEnum
from pathlib import Path
from typing import Any, TypeVar

from ..domain.tenants import Tenant
from .contents import Content, cards_in, digest_of, judge, key_of, look_at, lost_text, refused_text, text_of
from .granted import Fetch, write_granted
from .last_good import LastGood
from .load import read_registry, read_text
from .model import Registry
from .problems import RegistryError
from .team_files import join_files, split_all
from .update import lost_teams, update_of

log = logging.getLogger(__name__)

T = TypeVar("T")

# In the folder where the copy is kept: the teams that people asked for, as the job service granted them.
GRANTED_FOLDER = "granted-teams"
# Seconds between two looks at the file, and before a changed file is looked at again: one that is being written is
# another one then.
INTERVAL = 3.0
SETTLE = 1.0

# Called with the registry before and now.
Listener = Callable[[Registry, Registry], None]


class Phase(IntEnum):
    """When a listener is told of a change: nobody has a right in a team that a part does not know.

    A listener that fails is told again at the next look. REVOKE and PARTS go on without it, GRANT waits for all.
    """

    REVOKE = 1
    PARTS = 2
    GRANT = 3


@dataclass(frozen=True, slots=True)
class FileStatus:
    """Whether the file is what the process works with.

    ``trouble`` says why it is not, and is empty when it is. ``waits``: the file is good and takes a restart.
    ``read_at`` is when the file was last read and was the one in use, in epoch seconds; None if it never was.
    ``digest`` is the SHA-256 of the text in use.
    """

    digest: str
    read_at: float | None
    trouble: str = ""
    waits: bool = False


class RegistryProvider:
    """Holds the registry that is in use. ``run`` it in the event loop that uses it."""

    def __init__(self, registry: Registry, file: Path | None = None, *, clock: Callable[[], float] = time.time) -> None:
        """Without a ``file`` only ``take`` changes the registry."""
        self._registry = registry
        self._file = file
        self._clock = clock
        self._copy: LastGood | None = None
        # Where the teams are that people asked for; None where nothing is kept.
        self.granted_folder: Path | None = None
        self._fetch: Fetch | None = None
        self._unfetched = ""
        # The names of the teams that were granted, once the job service has said them.
        self._granted: frozenset[str] | None = None
        self._status = FileStatus("", clock())
        self._listeners: list[tuple[Phase, Listener]] = []
        self._knows: dict[Listener, Registry] = {}
        # Keys of contents: the one in use, the one that was refused, and one that was seen once.
        self._used = self._refused = self._once = ""
        # The cards that the content names which was decided on last: a change of one is a change of the registry.
        self._cards: tuple[str, ...] = ()
        self._threads = ThreadPoolExecutor(1, thread_name_prefix="tenants.yaml")
        self._task: asyncio.Task[None] | None = None

    @classmethod
    def open(cls, path: str | Path, folder: Path, *, clock: Callable[[], float] = time.time) -> RegistryProvider:
        """The registry in the file ``path``, of which a copy is kept in ``folder``; of the copy if the file is broken.

        ``status`` then says what is wrong. Raises RegistryError, with what is wrong with the file, when there is no
        copy that can be used.
        """
        file, copy, granted = Path(path), LastGood.beside(folder, str(path)), folder / GRANTED_FOLDER
        found = look_at(file, (), granted)
        try:
            text, trouble = text_of(found), ""
            registry = read_registry(text, copy.source)
        except RegistryError as error:
            registry, text = _from_copy(copy, error)
            trouble = f"{refused_text(copy.source, error)}\n{copy.file} is the copy of it."
        else:
            if before := _with_lost_teams(copy, registry):
                trouble = f"{lost_text(copy.source, lost_teams(before[0], registry))}\n{copy.file} is the copy of it."
                registry, text = before
        if trouble:
            log.error("%s", trouble)
        else:
            copy.keep(text)
        provider = cls(registry, file, clock=clock)
        provider._copy, provider.granted_folder = copy, granted
        provider._cards = cards_in(found)
        provider._used = key_of(text, file, provider._cards)
        provider._refused = look_at(file, provider._cards, granted).key if trouble else ""
        provider._status = FileStatus(digest_of(text), None if trouble else clock(), trouble)
        return provider

    def __deepcopy__(self, memo: Any) -> RegistryProvider:
        # traitlets copies what a configuration holds, and there is one of these in a process.
        return self

    @property
    def registry(self) -> Registry:
        return self._registry

    @property
    def status(self) -> FileStatus:
        return self._status

    @property
    def tenants(self) -> Mapping[str, Tenant]:
        """The tenants as they are whenever one is looked up."""
        return _TenantsNow(self)

    def current(self) -> Registry:
        """The registry that is in use."""
        return self._registry

    def listen(self, listener: Listener, phase: Phase = Phase.PARTS) -> None:
        """Call ``listener`` after each change, in the event loop. It must not wait for anything."""
        self._listeners.append((phase, listener))
        self._listeners.sort(key=lambda each: each[0])
        self._knows[listener] = self._registry

    @property
    def complete(self) -> bool:
        """Whether a team that is not in the registry is none. While nobody has said since the start which teams people
        were granted, it may be one of those."""
        if self._fetch is None or not self._registry.self_service.templates:
            return True
        return self._granted is not None and self._granted <= self._registry.tenants.keys()

    def follow_granted(self, fetch: Fetch) -> None:
        """Ask ``fetch`` for the teams that people asked for, before each look. While it fails those that are kept
        count."""
        self._fetch = fetch

    def with_granted(self, name: str, text: str) -> Registry | None:
        """The registry as it would be with this granted team; None where no file is followed. Blocks.

        Raises RegistryError where it could not be used.
        """
        if self._file is None:
            return None
        main, teams, granted = split_all(read_text(self._file, self.granted_folder))
        return read_registry(join_files(main, teams, {**granted, name: text}), self._registry.source)

    def begin(self) -> None:
        """Run in the background for as long as the event loop; without a loop the registry stays as it is."""
        with contextlib.suppress(RuntimeError):
            self._task = asyncio.get_running_loop().create_task(self.run(), name="look at tenants.yaml")

    async def run(self) -> None:
        """Look at the file for ever, until cancelled."""
        while True:
            try:
                await self._fetch_granted()
                await self.look()
            except Exception:
                log.exception("%s could not be looked at; it is tried again", self._registry.source)
            await asyncio.sleep(SETTLE if self._once else INTERVAL)

    async def look(self) -> None:
        """Look at the file once. What is there is taken when it was the same at the look before, and can be used."""
        if self._file is not None:
            found = await self._in_thread(look_at, self._file, self._cards, self.granted_folder)
            await self._consider(self._file, found)
        self._tell()

    async def _fetch_granted(self) -> None:
        """Write down the teams that people asked for. A service that is away is told of in the log, once."""
        if self._fetch is None or self.granted_folder is None:
            return
        try:
            granted = await self._fetch()
            changed = await self._in_thread(write_granted, self.granted_folder, granted)
            self._granted = frozenset(granted.teams)
            if changed:
                log.warning("teams that people asked for: %s changed", ", ".join(changed))
            self._unfetched = ""
        except Exception as error:
            trouble = f"{type(error).__name__}: {error}"
            if trouble != self._unfetched:
                log.warning("the job service does not say which teams were granted, so those known count: %s", trouble)
            self._unfetched = trouble

    def take(self, registry: Registry) -> None:
        """Use ``registry`` from now on, and tell the listeners."""
        update, self._registry = update_of(self._registry, registry), registry
        # As a warning: a hub's log has nothing less of other loggers than JupyterHub's own.
        log.warning("%s: %s", registry.source, update.text())
        self._tell()

    async def _consider(self, file: Path, found: Content) -> None:
        if found.key == self._used:
            self._once = self._refused = ""
            self._status = FileStatus(self._status.digest, self._clock())
        elif found.key == self._refused:
            self._once = ""
        elif found.key != self._once:
            self._once = found.key
        else:
            self._once = ""
            await self._decide(file, found)

    async def _decide(self, file: Path, found: Content) -> None:
        """Take the content, or say why not."""
        verdict = await self._in_thread(judge, self._registry, file, found)
        self._cards = verdict.cards
        if verdict.registry is None or found.text is None:
            log.error("%s", verdict.trouble)
            self._refused = verdict.key
            self._status = replace(self._status, trouble=verdict.trouble, waits=verdict.waits)
            return
        self._used, self._refused = verdict.key, ""
        self._status = FileStatus(digest_of(found.text), self._clock())
        self.take(verdict.registry)
        if self._copy is not None:
            await self._in_thread(self._copy.keep, found.text)

    def _tell(self) -> None:
        """Tell each listener that does not know the registry in use."""
        failed = False
        for phase, listener in self._listeners:
            known = self._knows[listener]
            if known is self._registry or (failed and phase is Phase.GRANT):
                continue
            try:
                listener(known, self._registry)
                self._knows[listener] = self._registry
            except Exception:
                failed = True
                log.exception("a part could not follow %s; it is tried again", self._registry.source)

    async def _in_thread(self, call: Callable[..., T], *args: Any) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, call, *args)


class _TenantsNow(Mapping[str, Tenant]):
    def __init__(self, provider: RegistryProvider) -> None:
        self._provider = provider

    def __getitem__(self, name: str) -> Tenant:
        return self._provider.registry.tenants[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._provider.registry.tenants)

    def __len__(self) -> int:
        return len(self._provider.registry.tenants)


def _with_lost_teams(copy: LastGood, registry: Registry) -> tuple[Registry, str] | None:
    """The copy, where teams of it are lost in ``registry``."""
    try:
        before = _from_copy(copy, RegistryError(copy.source, []))
    except RegistryError:
        return None
    return before if lost_teams(before[0], registry) else None


def _from_copy(copy: LastGood, error: RegistryError) -> tuple[Registry, str]:
    """Raises ``error`` when there is no copy that can be used."""
    text = copy.text()
    if text is None:
        raise error
    try:
        return read_registry(text, copy.source), text
    except RegistryError:
        # Good for the version that kept it, and not for this one.
        raise error from None
