"""The rules while the process runs: the folder is looked at every few seconds, and the last good rules stay in use."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from ..domain.gates import Bundle
from .engine import Engine
from .load import Loaded, bundle_of, digest_of, read_folder
from .problems import PolicyError

log = logging.getLogger(__name__)

COPY = "aifactory-policies.last-good.json"
_NOTHING = Loaded(Bundle(), Engine())


@dataclass(frozen=True, slots=True)
class RulesStatus:
    """Whether the folder is what is in use. ``trouble`` says why it is not, and is empty when it is."""

    folder: str
    trouble: str = ""


class RulesProvider:
    """Holds the rules that are in use. ``look`` blocks, and is called by one thread at a time; all else may be."""

    def __init__(self, folder: Callable[[], Path | None], keep_in: Path | None = None) -> None:
        """``folder`` gives the folder of now, None where a site has no rules. A copy of the last good rules is kept in
        the folder ``keep_in``, for a start with broken ones."""
        self._folder = folder
        self._copy = None if keep_in is None else keep_in / COPY
        self._loaded = _NOTHING
        self._status = RulesStatus("")
        self._used: tuple[str, str] = ("", "")
        self._once: tuple[str, str] | None = None

    @classmethod
    def open(cls, folder: Callable[[], Path | None], keep_in: Path | None = None) -> RulesProvider:
        """The rules of now; of the copy where they are broken. Raises PolicyError where there is no copy either."""
        provider = cls(folder, keep_in)
        place = folder()
        if place is None:
            return provider
        try:
            provider._take(place, read_folder(place))
        except PolicyError as error:
            files = provider._kept(place)
            if files is None:
                raise
            log.error("%s", _trouble(place, error))
            provider._loaded = bundle_of(files)
            provider._status = RulesStatus(str(place), _trouble(place, error))
        return provider

    @property
    def current(self) -> Loaded:
        """The rules in use."""
        return self._loaded

    @property
    def status(self) -> RulesStatus:
        """Whether they are the folder's."""
        return self._status

    def look(self) -> None:
        """Look at the folder once: what is there is taken when it was the same at the look before, and can be used."""
        place = self._folder()
        if place is None:
            self._loaded, self._status, self._used = _NOTHING, RulesStatus(""), ("", "")
            return
        try:
            files = read_folder(place)
            key = (str(place), digest_of(files))
        except PolicyError as error:
            self._refuse(place, (str(place), f"error {error}"), error)
            return
        if key == self._used:
            self._once, self._status = None, RulesStatus(str(place))
        elif key != self._once:
            self._once = key
        else:
            try:
                self._take(place, files)
            except PolicyError as error:
                self._refuse(place, key, error)

    def _take(self, place: Path, files: Mapping[str, str]) -> None:
        loaded = bundle_of(files)
        self._loaded, self._status = loaded, RulesStatus(str(place))
        self._used, self._once = (str(place), loaded.bundle.digest), None
        log.warning("%s: %d rules are in use, digest %s", place, len(loaded.bundle.rules), loaded.bundle.digest[:12])
        self._keep(place, files)

    def _refuse(self, place: Path, key: tuple[str, str], error: PolicyError) -> None:
        trouble = _trouble(place, error)
        if trouble != self._status.trouble:
            log.error("%s", trouble)
        self._once, self._status = key, RulesStatus(str(place), trouble)

    def _keep(self, place: Path, files: Mapping[str, str]) -> None:
        """A folder that can't be written is no error: it is logged."""
        if self._copy is None:
            return
        try:
            self._copy.parent.mkdir(parents=True, exist_ok=True)
            part = self._copy.with_suffix(".part")
            part.write_text(json.dumps({"folder": str(place), "digest": digest_of(files), "files": dict(files)}))
            part.replace(self._copy)
        except OSError as error:
            log.warning("no copy of %s can be kept as %s: %s", place, self._copy, error)

    def _kept(self, place: Path) -> Mapping[str, str] | None:
        """The copy's files; None where there is none, it is another folder's, or it is not whole."""
        try:
            kept = json.loads("" if self._copy is None else self._copy.read_text())
            files: dict[str, str] = kept["files"]
            whole = kept["folder"] == str(place) and kept["digest"] == digest_of(files)
            bundle_of(files)
        except (OSError, ValueError, KeyError, TypeError, AttributeError, PolicyError):
            return None
        return files if whole else None


def _trouble(place: Path, error: PolicyError) -> str:
    count = len(error.problems)
    number = f"{count} {'problem' if count == 1 else 'problems'}"
    return f"the rules in {place} can't be used, so the last good ones are in use. {number}:\n{error}"
