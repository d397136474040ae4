"""What is sent before a job: files in packs, and the manifest that says which of them are where."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ... import constants
from ...store import FilesMissing, Incoming, SizeMismatch
from ...untrusted.json_text import BadJson
from ...untrusted.manifests import LARGEST_MANIFEST
from ...untrusted.packs import BadPack
from ...untrusted.readers import ReadingFailed, read_manifest_file
from ..errors import ServiceError, bad_field, unavailable
from ..file_answer_types import Missing, Stored
from ..request_types import PACK_HEADERS, TenantQuery, Wanted, bad_json
from ..room import Reservation
from .base import Handler, run_sync
from .operations import operation
from .request_bodies import ReceivingHandler, announced_digest, too_large


class MissingUploads(Handler):
    """Which files need not be sent again."""

    @operation("findMissingFiles", "Those of some files that have to be sent.", answer=Missing, body=Wanted)
    async def post(self) -> None:
        """One that is there will be for another hour: time enough to submit a job with it."""
        caller = await self.caller()
        asked = await self.body(Wanted, caller.name)
        tenant = self.tenant_for(caller, constants.SCOPE_SUBMIT, asked.tenant)
        snapshots, now = self.context.snapshots, self.context.clock()
        self.answer({"missing": await run_sync(snapshots.missing, tenant, caller.name, asked.sha256, now=now)})


class _Receiving(ReceivingHandler):
    """For what is named by its digest in the path: sending it again changes nothing."""

    kind: str

    async def limit_now(self, *args: str) -> int:
        """Only a member of the tenant may send."""
        caller = await self.caller(fresh=True)
        self.announced = announced_digest(args[0])
        asked = self.query(TenantQuery).tenant
        self._owner, self._tenant = caller.name, self.tenant_for(caller, constants.SCOPE_SUBMIT, asked)
        return self.most()

    async def reserve(self, size: int) -> Reservation:
        """In the team, for the sender."""
        return await self.context.room.reserve(self._tenant, self._owner, self.kind, size)

    def most(self) -> int:
        """The most bytes that the body may have."""
        raise NotImplementedError


class Pack(_Receiving):
    """Files, in an archive."""

    kind = "packs"

    def most(self) -> int:
        """No job can use more than its limit."""
        return self.context.registry.jobs.max_upload + PACK_HEADERS

    async def store(self, incoming: Incoming) -> Mapping[str, Any]:
        """Read apart from everything else, to see that each entry is what its name says."""
        where = (self._tenant, self._owner, incoming, self.announced)
        most, now = self.context.registry.jobs.max_upload, self.context.clock()
        try:
            stored = await self.context.parsing.run(
                self._owner, self.context.snapshots.take_pack, *where, most=most, now=now
            )
        except BadPack as error:
            raise bad_field("body", f"The body is no pack of files: {error}.") from error
        except ReadingFailed as error:
            raise _not_read(error) from error
        return {"sha256": stored.sha256, "size": stored.size}

    @operation(
        "uploadPack",
        "Keep files for a job to come: a tar.gz whose entries are named by their content's SHA-256.",
        answer=Stored,
        statuses=(201,),
        query=TenantQuery,
        receives="application/gzip",
    )
    async def put(self, *args: str) -> None:
        """Called by tornado after the body."""
        await super().put(*args)


class SnapshotManifest(_Receiving):
    """Which content is under which name."""

    kind = "manifests"

    def most(self) -> int:
        """Room for more names than files may travel."""
        return LARGEST_MANIFEST

    async def store(self, incoming: Incoming) -> Mapping[str, Any]:
        """Every file of it must have been sent."""
        try:
            return await self.context.parsing.run(self._owner, self._read_and_keep, incoming)
        except BadJson as error:
            raise bad_json(error) from error
        except ReadingFailed as error:
            raise _not_read(error) from error
        except SizeMismatch as error:
            raise bad_field("files", f"The manifest is wrong: {error}.") from error
        except FilesMissing as error:
            message = f"{len(error.digests)} of its files were not sent: send them first."
            numbers = {"missing": list(error.digests[:1000])}
            raise ServiceError(409, "files-missing", message, numbers=numbers) from error

    def _read_and_keep(self, incoming: Incoming) -> Mapping[str, Any]:
        incoming.complete(announced=self.announced)
        named, most = read_manifest_file(incoming.path), self.context.registry.jobs.max_upload
        if named.size > most:
            raise too_large(named.size, most)
        where = (self._tenant, self._owner, incoming, self.announced, named)
        self.context.snapshots.take_manifest(*where, now=self.context.clock())
        return {"sha256": self.announced, "size": named.size}

    @operation(
        "uploadManifest",
        "Keep a folder's manifest for a job to come; a job names it by its SHA-256.",
        answer=Stored,
        statuses=(201,),
        query=TenantQuery,
        receives="application/json",
    )
    async def put(self, *args: str) -> None:
        """Called by tornado after the body."""
        await super().put(*args)


def _not_read(error: ReadingFailed) -> ServiceError:
    if error.theirs:
        return ServiceError(
            413, "too-large", f"The body can't be read: {error}. Send fewer files at once.", field="body"
        )
    return unavailable("reading-failed", "The body could not be read now. Try again in a moment.")
