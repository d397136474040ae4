"""OpenSSF model signing: the statement of a model's files and the bundle that ``model_signing verify`` accepts."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from .dsse import BadEnvelope, Envelope, envelope_of
from .manifest import FileEntry, FileSet

STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE = "https://model_signing/signature/v1.0"
# The digest that covers the files' names and sizes too; other programs pass it over.
MANIFEST_DIGEST = "aifactory-manifest-v1"
_BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json"
_SHA256 = re.compile(r"[0-9a-f]{64}")


def subject(name: str, files: FileSet) -> list[dict[str, Any]]:
    """The subject of every statement about these files."""
    return [{"name": name, "digest": {"sha256": files.root, MANIFEST_DIGEST: files.digest}}]


def statement(name: str, files: FileSet, predicate_type: str, predicate: Mapping[str, Any]) -> dict[str, Any]:
    """A statement of in-toto about these files."""
    return {
        "_type": STATEMENT_TYPE,
        "subject": subject(name, files),
        "predicateType": predicate_type,
        "predicate": dict(predicate),
    }


def files_statement(name: str, files: FileSet) -> dict[str, Any]:
    """The statement that these are the model's files, all of them."""
    resources = [
        {"name": file.name, "algorithm": "sha256", "digest": file.sha256, "size": file.size} for file in files.files
    ]
    serialization = {"method": "files", "hash_type": "sha256", "allow_symlinks": False}
    return statement(name, files, PREDICATE_TYPE, {"serialization": serialization, "resources": resources})


def files_of(told: Mapping[str, Any]) -> FileSet:
    """The files that a statement of files names. Raises BadEnvelope when its digests don't follow from them.

    Sizes are ours: a statement of another program has none, and its files come with the size -1.
    """
    try:
        (about,) = told["subject"]
        digest = about["digest"]
        entries = [_entry(resource) for resource in told["predicate"]["resources"]]
        files = FileSet.of(entries)
        signed_root = digest["sha256"]
    except (KeyError, TypeError, ValueError) as error:
        raise BadEnvelope(f"the statement names no files as model signing does: {error}") from error
    if told.get("_type") != STATEMENT_TYPE or told.get("predicateType") != PREDICATE_TYPE:
        raise BadEnvelope("the statement is not one of a model's files")
    if signed_root != files.root or digest.get(MANIFEST_DIGEST, files.digest) != files.digest:
        raise BadEnvelope("the statement's digest is not that of the files that it names")
    return files


def _entry(resource: Mapping[str, Any]) -> FileEntry:
    digest = resource["digest"]
    if resource["algorithm"] != "sha256" or not isinstance(digest, str) or _SHA256.fullmatch(digest) is None:
        raise ValueError(f"the digest of {resource['name']!r} is not a SHA-256")
    return FileEntry(str(resource["name"]), int(resource.get("size", -1)), digest)


def bundle(envelope: Envelope) -> dict[str, Any]:
    """The envelope as a Sigstore bundle. Its hint is the key's id, which is how model signing names a key."""
    body = envelope.as_json()
    return {
        "mediaType": _BUNDLE,
        "verificationMaterial": {"publicKey": {"hint": envelope.key}, "tlogEntries": []},
        "dsseEnvelope": {**body, "signatures": [{**body["signatures"][0], "keyid": ""}]},
    }


def envelope_in(body: Mapping[str, Any]) -> Envelope:
    """The envelope of a bundle, with the key that the bundle's hint names. Raises BadEnvelope."""
    try:
        hint = body["verificationMaterial"]["publicKey"]["hint"]
        found = envelope_of(body["dsseEnvelope"])
    except (KeyError, TypeError) as error:
        raise BadEnvelope("it is not a bundle that was signed with a key") from error
    return Envelope(found.payload, str(hint), found.signature, found.payload_type)
