"""Lists and watch events from JSON to the few fields that a shape names; everything else is skipped unread.

A shape is a ``msgspec.Struct`` with a ``metadata`` that is a ``Metadata``, and with defaults for all of its fields,
because a bookmark is an object with nothing but a version.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

import msgspec

from .api import ApiError, ApiUnreachable

Key = tuple[str, str]

_SENSELESS = (msgspec.DecodeError, UnicodeDecodeError)


class Metadata(msgspec.Struct, gc=False):
    """What names an object and says which state of it this is."""

    name: str = ""
    namespace: str = ""
    uid: str = ""
    resourceVersion: str = ""


class HasMetadata(Protocol):
    @property
    def metadata(self) -> Metadata: ...


Obj = TypeVar("Obj")
S = TypeVar("S", bound=HasMetadata)


class _Named(msgspec.Struct, gc=False):
    """What is left of an object that doesn't have the expected shape."""

    metadata: Metadata = msgspec.field(default_factory=Metadata)


class Event(msgspec.Struct, Generic[Obj], gc=False):
    """One line of a watch: what happened to which object."""

    type: str
    object: Obj


class _Status(msgspec.Struct, gc=False):
    code: int = 500
    reason: str = ""
    message: str = ""


class _Continued(msgspec.Struct, gc=False):
    resourceVersion: str = ""
    continue_: str = msgspec.field(default="", name="continue")


class _Page(msgspec.Struct, gc=False):
    metadata: _Continued
    # Each by itself, so that one of another shape doesn't spoil the list.
    items: list[msgspec.Raw] | None = None


@dataclass(frozen=True, slots=True)
class Unreadable:
    """An object of another shape than expected, and why."""

    metadata: Metadata
    why: str


@dataclass(frozen=True, slots=True)
class Page(Generic[S]):
    """``more`` continues the list; it is empty at its end."""

    items: list[S | Unreadable]
    version: str
    more: str


class Decoder(Generic[S]):
    """Reads what ``server`` says of objects of one shape.

    What is no JSON or no Kubernetes raises ApiUnreachable: nothing may be concluded from it.
    """

    def __init__(self, shape: type[S], server: str) -> None:
        self._server = server
        self._object = msgspec.json.Decoder(shape)
        self._event = msgspec.json.Decoder(Event[shape])  # type: ignore[valid-type]

    def events(self, lines: memoryview) -> Iterable[Event[S] | Event[Unreadable]]:
        """The events of whole lines. Those before a line that is none are still given."""
        try:
            return self._event.decode_lines(lines)
        except _SENSELESS:
            return self._one_by_one(bytes(lines).splitlines())

    def end(self, lines: memoryview) -> ApiError:
        """What the event of type ERROR among these lines says."""
        for line in bytes(lines).splitlines():
            if line.strip() and self._plain(line, Any).type == "ERROR":
                status = self._plain(line, _Status).object
                return ApiError(status.code, status.reason, status.message)
        raise self._senseless()

    def page(self, data: bytes) -> Page[S]:
        """One page of a list."""
        try:
            page = msgspec.json.decode(data, type=_Page)
        except _SENSELESS as error:
            raise self._senseless() from error
        items = [self._item(raw) for raw in page.items or ()]
        return Page(items, page.metadata.resourceVersion, page.metadata.continue_)

    def _item(self, raw: msgspec.Raw) -> S | Unreadable:
        try:
            return self._object.decode(raw)
        except _SENSELESS as error:
            return Unreadable(_metadata(raw), str(error))

    def _one_by_one(self, lines: Iterable[bytes]) -> Iterator[Event[S] | Event[Unreadable]]:
        for line in filter(None, map(bytes.strip, lines)):
            try:
                yield self._event.decode(line)
            except _SENSELESS as error:
                spoiled = self._plain(line, _Named)
                yield Event(spoiled.type, Unreadable(spoiled.object.metadata, str(error)))

    def _plain(self, line: bytes, shape: type[Obj]) -> Event[Obj]:
        try:
            return msgspec.json.decode(line, type=Event[shape])  # type: ignore[valid-type]
        except _SENSELESS as error:
            raise self._senseless() from error

    def _senseless(self) -> ApiUnreachable:
        return ApiUnreachable(f"{self._server} answered with something that is not a Kubernetes object")


def _metadata(raw: msgspec.Raw) -> Metadata:
    try:
        return msgspec.json.decode(raw, type=_Named).metadata
    except _SENSELESS:
        return Metadata()
