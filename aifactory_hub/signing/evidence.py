"""Evidence of a version as one file, which anybody can check without the service."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from .dsse import BadEnvelope, Envelope, envelope_of
from .evidence_text import README
from .keys import BadKey, KeyFacts, check, key_id
from .manifest import FileSet
from .oms import MANIFEST_DIGEST, bundle, files_of

# Of what is read of such a file: as many members, each of so many bytes.
_MOST_MEMBERS, _LARGEST = 5000, 32 * 2**20
# Zip knows no zone and nothing before 1980; a fixed time makes the same evidence the same file.
_AT = (1980, 1, 1, 0, 0, 0)


class BadEvidence(Exception):
    """The file is not one of evidence; the text says why."""


@dataclass(frozen=True, slots=True)
class ChainRow:
    """A statement as it stands in the chain: its hash is the SHA-256 of the hash ``before`` and of ``covered``."""

    number: int
    kind: str
    envelope: Envelope
    before: str
    covered: str
    hash: str


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that is known of a version, to be taken away. ``about`` and ``lineage`` are for people and programs to read;
    what counts is signed."""

    name: str
    files: FileSet
    rows: Sequence[ChainRow]
    keys: Sequence[KeyFacts]
    about: Mapping[str, Any]
    lineage: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was checked: whether it is right, and a sentence."""

    ok: bool
    what: str


def write_evidence(evidence: Evidence) -> bytes:
    """The evidence as a zip archive."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in _members(evidence):
            archive.writestr(zipfile.ZipInfo(name, _AT), content, zipfile.ZIP_DEFLATED)
    return target.getvalue()


def _members(evidence: Evidence) -> Iterator[tuple[str, bytes]]:
    yield "README.md", README.replace("{name}", evidence.name).encode()
    yield "about.json", _json(evidence.about)
    yield "lineage.json", _json(evidence.lineage)
    files = [{"name": file.name, "size": file.size, "sha256": file.sha256} for file in evidence.files.files]
    yield "files.json", _json({"digest": evidence.files.digest, "root": evidence.files.root, "files": files})
    yield "SHA256SUMS", "".join(f"{file.sha256}  {file.name}\n" for file in evidence.files.files).encode()
    for key in evidence.keys:
        yield f"keys/{key.id}.pem", key.public.encode()
    yield "keys.json", _json([_key(key) for key in evidence.keys])
    for row in evidence.rows:
        place = f"statements/{row.number:06d}-{row.kind}"
        yield f"{place}.json", _json(row.envelope.as_json())
        yield f"{place}.signed", row.envelope.signed
        yield f"{place}.signature", row.envelope.signature
    yield "chain.json", _json([_chain(row) for row in evidence.rows])
    signed = [row for row in evidence.rows if row.kind == "files"]
    if signed:
        yield "model.sig", _json(bundle(signed[-1].envelope))


def check_evidence(
    content: bytes, trusted: Mapping[str, KeyFacts] | None = None, folder: Path | None = None
) -> list[Finding]:
    """What checking the evidence has shown, in order. Raises BadEvidence for a file that is none.

    ``trusted`` are keys that are believed; without them those in the file are, which shows that it fits together, and
    not who made it. ``folder`` has the model's files, to be compared with what was signed.
    """
    members = _read(content)
    keys = _keys(members) if trusted is None else trusted
    rows = _rows(members)
    findings = [_signature(row, keys) for row in rows] + [_in_chain(row) for row in rows]
    findings.append(_in_order(rows))
    files, told = _files(rows)
    findings.append(told)
    if files is not None:
        findings += [_subject(row, files) for row in rows if row.kind != "keys"]
        if folder is not None:
            findings += _in_folder(files, folder)
    return findings


def _read(content: bytes) -> dict[str, bytes]:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            infos = archive.infolist()
            if len(infos) > _MOST_MEMBERS or any(info.file_size > _LARGEST for info in infos):
                raise BadEvidence("it has more or larger parts than evidence has")
            return {info.filename: archive.read(info) for info in infos}
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, OSError) as error:
        raise BadEvidence("it is not a zip archive that can be read") from error


def _keys(members: Mapping[str, bytes]) -> dict[str, KeyFacts]:
    try:
        told = json.loads(members["keys.json"])
        found = {}
        for each in told:
            public = members[f"keys/{each['id']}.pem"].decode()
            if key_id(public) != each["id"]:
                raise BadEvidence(f"the key {each['id'][:12]} is another one than its name says")
            revoked = None if each["revoked"] is None else float(each["revoked"])
            found[each["id"]] = KeyFacts(each["id"], public, each["first"], each["last"], revoked, str(each["why"]))
        return found
    except (KeyError, TypeError, ValueError, BadKey) as error:
        raise BadEvidence("its keys can't be read") from error


def _rows(members: Mapping[str, bytes]) -> list[ChainRow]:
    try:
        return [
            ChainRow(
                number=int(each["number"]),
                kind=str(each["kind"]),
                envelope=envelope_of(json.loads(members[f"statements/{each['number']:06d}-{each['kind']}.json"])),
                before=str(each["before"]),
                covered=str(each["covered"]),
                hash=str(each["hash"]),
            )
            for each in json.loads(members["chain.json"])
        ]
    except (KeyError, TypeError, ValueError, BadEnvelope) as error:
        raise BadEvidence("its statements can't be read") from error


def _signature(row: ChainRow, keys: Mapping[str, KeyFacts]) -> Finding:
    found = check(row.envelope, keys, number=row.number)
    words = "is signed by a key that is believed" if found.problem is None else str(found.problem)
    return Finding(found.problem is None, f"statement {row.number} ({row.kind}): {words}")


def _in_chain(row: ChainRow) -> Finding:
    right = hashlib.sha256((row.before + row.covered).encode()).hexdigest() == row.hash
    try:
        covered = json.loads(row.covered)
        right = right and covered[0] == row.number and envelope_of(json.loads(covered[-1])) == row.envelope
    except (ValueError, TypeError, IndexError, KeyError, BadEnvelope):
        right = False
    words = "has the hash that follows from it" if right else "is not the one that stands in the chain"
    return Finding(right, f"statement {row.number} ({row.kind}) {words}")


def _in_order(rows: Sequence[ChainRow]) -> Finding:
    """Where two rows follow on each other, the later one has the hash of the earlier one."""
    for before, after in pairwise(rows):
        if after.number <= before.number or (after.number == before.number + 1 and after.before != before.hash):
            return Finding(False, f"statement {after.number} does not follow on statement {before.number}")
    return Finding(bool(rows), "the statements follow on each other" if rows else "there are no statements")


def _files(rows: Sequence[ChainRow]) -> tuple[FileSet | None, Finding]:
    signed = [row for row in rows if row.kind == "files"]
    if not signed:
        return None, Finding(False, "there is no statement of the model's files")
    try:
        files = files_of(signed[-1].envelope.statement())
    except BadEnvelope as error:
        return None, Finding(False, f"the statement of the model's files is wrong: {error}")
    return files, Finding(True, f"{len(files.files)} files are signed, with the digest {files.digest}")


def _subject(row: ChainRow, files: FileSet) -> Finding:
    try:
        (about,) = row.envelope.statement()["subject"]
        digest = about["digest"]
        right = (digest["sha256"], digest[MANIFEST_DIGEST]) == (files.root, files.digest)
    except (BadEnvelope, KeyError, TypeError, ValueError):
        right = False
    return Finding(right, f"statement {row.number} ({row.kind}) is about {'these' if right else 'other'} files")


def _in_folder(files: FileSet, folder: Path) -> list[Finding]:
    there = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_symlink() or path.is_file()}
    findings = []
    for file in files.files:
        path = folder / file.name
        right = file.name in there and not path.is_symlink() and _digest(path) == file.sha256
        findings.append(Finding(right, f"{file.name} is {'' if right else 'not '}the file that was signed"))
    more = sorted(there - {file.name for file in files.files})
    return [*findings, *(Finding(False, f"{name} was not signed") for name in more)]


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _key(key: KeyFacts) -> dict[str, Any]:
    return {"id": key.id, "first": key.first, "last": key.last, "revoked": key.revoked, "why": key.why}


def _chain(row: ChainRow) -> dict[str, Any]:
    return {"number": row.number, "kind": row.kind, "before": row.before, "covered": row.covered, "hash": row.hash}


def _json(value: Any) -> bytes:
    return f"{json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False)}\n".encode()
