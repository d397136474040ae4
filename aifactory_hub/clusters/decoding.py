"""Lists and watch events from JSON to the few fields that a shape names; everything else is skipped unread.

A shape is a ``msgspec.Struct`` with a ``metadata`` that is a ``Metadata``, and with defaults for all of its fields,
because a bookmark is an object with nothing but a version.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Generic, Protocol, TypeVar

import msgspec
from msgspec import Meta

from .answers import UNPARSABLE, check_values
from .errors import ApiError, ApiNonsense, ApiUnreachable
from .tenant_objects import Json, TenantObject, plain
from .text import LONGEST_ERROR, printable

log = logging.getLogger(__name__)

Key = tuple[str, str]

# Objects on one page of a tenant's list, whatever was asked for.
MOST_ON_A_PAGE = 500
# What continues a list is sent back in the address of the next page.
_LONGEST_TOKEN = 4096


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


class _ShortPage(msgspec.Struct, gc=False):
    """A page of at most a few hundred objects, as asked for."""

    metadata: _Continued
    items: Annotated[list[msgspec.Raw], Meta(max_length=MOST_ON_A_PAGE)] | None = None


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
        except UNPARSABLE:
            return self._one_by_one(bytes(lines).splitlines())

    def end(self, lines: memoryview) -> ApiError:
        """What the event of type ERROR among these lines says."""
        for line in bytes(lines).splitlines():
            if line.strip() and self._plain(line, Any).type == "ERROR":
                status = self._plain(line, _Status).object
                return ApiError(status.code, printable(status.reason, 100), printable(status.message, LONGEST_ERROR))
        raise self._senseless()

    def page(self, data: bytes) -> Page[S]:
        """One page of a list."""
        try:
            page = msgspec.json.decode(data, type=_Page)
        except UNPARSABLE as error:
            raise self._senseless() from error
        items = [self._item(raw) for raw in page.items or ()]
        return Page(items, page.metadata.resourceVersion, page.metadata.continue_)

    def _item(self, raw: msgspec.Raw) -> S | Unreadable:
        try:
            return self._object.decode(raw)
        except UNPARSABLE as error:
            return Unreadable(_metadata(raw), str(error))

    def _one_by_one(self, lines: Iterable[bytes]) -> Iterator[Event[S] | Event[Unreadable]]:
        for line in filter(None, map(bytes.strip, lines)):
            try:
                yield self._event.decode(line)
            except UNPARSABLE as error:
                spoiled = self._plain(line, _Named)
                yield Event(spoiled.type, Unreadable(spoiled.object.metadata, str(error)))

    def _plain(self, line: bytes, shape: type[Obj]) -> Event[Obj]:
        try:
            return msgspec.json.decode(line, type=Event[shape])  # type: ignore[valid-type]
        except UNPARSABLE as error:
            raise self._senseless() from error

    def _senseless(self) -> ApiUnreachable:
        return ApiNonsense(f"{self._server} answered with something that is not a Kubernetes object")


def decode_object(data: bytes, shape: type[TenantObject], server: str) -> Json:
    """An object of a tenant's API as plain JSON of the fields of ``shape``.

    Raises ApiNonsense, which names the field.
    """
    check_values(data, server)
    try:
        return plain(msgspec.json.decode(data, type=shape))
    except UNPARSABLE as error:
        raise _nonsense(server, error) from error


def decode_list(data: bytes, shape: type[TenantObject], server: str) -> tuple[list[Json], str]:
    """The objects of one page of a tenant's list, and what continues it, empty at its end.

    Blocks for some hundredths of a second at most, in small steps: to be called in a thread. An object of another shape
    is left out. Raises ApiNonsense for what is no list.
    """
    check_values(data, server)
    try:
        page = msgspec.json.decode(data, type=_ShortPage)
    except UNPARSABLE as error:
        raise _nonsense(server, error) from error
    if len(page.metadata.continue_) > _LONGEST_TOKEN:
        raise ApiNonsense(f"{server} continues a list with a token of more than {_LONGEST_TOKEN} bytes")
    decoder, found = msgspec.json.Decoder(shape), []
    for raw in page.items or ():
        try:
            found.append(plain(decoder.decode(raw)))
        except UNPARSABLE as error:
            log.info("%s lists an object that can't be read: %s", server, printable(str(error), LONGEST_ERROR))
    return found, page.metadata.continue_


def _nonsense(server: str, error: Exception) -> ApiNonsense:
    why = "it is nested too deep" if isinstance(error, RecursionError) else printable(str(error), LONGEST_ERROR)
    return ApiNonsense(f"{server} answered with something that is not the expected Kubernetes object: {why}")


def _metadata(raw: msgspec.Raw) -> Metadata:
    try:
        return msgspec.json.decode(raw, type=_Named).metadata
    except UNPARSABLE:
        return Metadata()
