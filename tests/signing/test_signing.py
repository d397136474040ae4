"""What is signed is what is checked, and nothing that was changed passes."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aifactory_hub.signing.dsse import BadEnvelope, Envelope, envelope_of, read_envelope, seal
from aifactory_hub.signing.keys import (
    BadKey,
    CustodyError,
    FolderCustody,
    KeyFacts,
    check,
    key_id,
    trusted,
)
from aifactory_hub.signing.manifest import FileEntry, FileSet
from aifactory_hub.signing.oms import bundle, envelope_in, files_of, files_statement

ONE, TWO = "1" * 64, "2" * 64
FILES = FileSet.of([FileEntry("b/x", 2, TWO), FileEntry("a.txt", 1, ONE)])


@pytest.fixture(scope="module")
def custody(tmp_path_factory: pytest.TempPathFactory) -> FolderCustody:
    return FolderCustody(tmp_path_factory.mktemp("keys") / "model-keys")


@pytest.fixture(scope="module")
def public(custody: FolderCustody) -> str:
    return custody.create()


def signed(custody: FolderCustody, public: str, statement: dict[str, Any] | None = None) -> Envelope:
    key = key_id(public)
    told = files_statement("nlp/fraud", FILES) if statement is None else statement
    return seal(told, key, lambda content: custody.sign(key, content))


def test_files_are_one_set_in_whatever_order(custody: FolderCustody, public: str) -> None:
    assert FileSet.of(reversed(FILES.files)) == FILES
    assert [file.name for file in FILES.files] == ["a.txt", "b/x"]
    envelope = read_envelope(signed(custody, public).text())
    assert check(envelope, trusted([public])).problem is None
    assert files_of(envelope.statement()) == FILES
    with pytest.raises(ValueError, match="'a' comes twice"):
        FileSet.of([FileEntry("a", 1, ONE), FileEntry("a", 2, TWO)])


def test_a_folder_is_ordered_as_model_signing_orders_it() -> None:
    """By the parts of a path: "a.txt" comes after "a/b", although "." comes before "/"."""
    files = FileSet.of([FileEntry("a.txt", 1, ONE), FileEntry("a/b", 1, TWO)])
    assert [file.name for file in files.files] == ["a/b", "a.txt"]
    assert files.root != FileSet.of([FileEntry("a.txt", 1, ONE), FileEntry("b", 1, TWO)]).root


def test_the_manifest_digest_covers_names_and_sizes() -> None:
    renamed = FileSet.of([FileEntry("a.txt", 1, ONE), FileEntry("b/y", 2, TWO)])
    assert (renamed.root == FILES.root, renamed.digest == FILES.digest) == (True, False)
    resized = FileSet.of([FileEntry("a.txt", 1, ONE), FileEntry("b/x", 3, TWO)])
    assert resized.digest != FILES.digest


@given(place=st.integers(0), bit=st.integers(0, 7), part=st.sampled_from(["payload", "signature", "payload_type"]))
def test_any_bit_that_was_changed_is_found(
    custody: FolderCustody, public: str, place: int, bit: int, part: str
) -> None:
    envelope = signed(custody, public)
    whole = getattr(envelope, part)
    content = bytearray(whole.encode() if isinstance(whole, str) else whole)
    content[place % len(content)] ^= 1 << bit
    changed: dict[str, Any] = {
        "payload": envelope.payload,
        "signature": envelope.signature,
        "payload_type": envelope.payload_type,
        part: bytes(content).decode("latin1") if isinstance(whole, str) else bytes(content),
    }
    found = check(Envelope(key=envelope.key, **changed), trusted([public]))
    assert found.problem is not None
    assert "was changed after it was signed" in found.problem


def test_only_keys_of_ours_in_their_time_count(custody: FolderCustody, public: str, tmp_path: Path) -> None:
    envelope, id = signed(custody, public), key_id(public)
    other = FolderCustody(tmp_path / "keys").create()
    assert "not one of ours" in str(check(envelope, trusted([other])).problem)
    # The same id with another key behind it.
    assert "not right" in str(check(envelope, {id: KeyFacts(id, other)}).problem)
    old = {id: KeyFacts(id, public, first=3, last=5)}
    told = [check(envelope, old, number=number).problem for number in (2, 3, 5, 6)]
    assert (told[1], told[2]) == (None, None)
    assert "older than the key" in str(told[0])
    assert "put out of use" in str(told[3])
    revoked = check(envelope, {id: KeyFacts(id, public, last=5, revoked=1.0, why="copied")}, number=4)
    assert (revoked.revoked, "copied" in str(revoked.problem)) == (True, True)


def test_the_bundle_is_the_envelope_for_others(custody: FolderCustody, public: str) -> None:
    envelope = signed(custody, public)
    body = json.loads(json.dumps(bundle(envelope)))
    assert body["verificationMaterial"]["publicKey"]["hint"] == key_id(public)
    assert body["dsseEnvelope"]["signatures"][0]["keyid"] == ""
    assert envelope_in(body) == envelope


@pytest.mark.parametrize("body", [None, {}, [], {"signatures": []}, {"payload": "é", "signatures": [{"sig": ""}]}])
def test_what_is_no_envelope_is_refused(body: Any) -> None:
    with pytest.raises(BadEnvelope):
        envelope_of(body)
    with pytest.raises(BadEnvelope):
        envelope_in(body if isinstance(body, dict) else {})


def test_two_signatures_are_refused_and_so_is_what_is_no_statement(custody: FolderCustody, public: str) -> None:
    body = signed(custody, public).as_json()
    with pytest.raises(BadEnvelope, match="one signature"):
        envelope_of({**body, "signatures": body["signatures"] * 2})
    with pytest.raises(BadEnvelope, match="not JSON"):
        read_envelope("{")
    with pytest.raises(BadEnvelope, match="not JSON"):
        Envelope(b"{", "", b"").statement()
    with pytest.raises(BadEnvelope, match="not a statement"):
        Envelope(b"{}", "", b"", "text/plain").statement()


@pytest.mark.parametrize(
    "change",
    [
        lambda told: told["subject"][0]["digest"].update({"sha256": ONE}),
        lambda told: told["subject"][0]["digest"].update({"aifactory-manifest-v1": ONE}),
        lambda told: told["predicate"]["resources"].pop(),
        lambda told: told["predicate"]["resources"][0].update({"algorithm": "md5"}),
        lambda told: told["predicate"]["resources"][0].update({"digest": "zz"}),
        lambda told: told["subject"].append(told["subject"][0]),
        lambda told: told.update({"predicateType": "https://slsa.dev/provenance/v1"}),
        lambda told: told.pop("predicate"),
    ],
)
def test_a_statement_whose_parts_don_t_fit_is_refused(change: Any) -> None:
    told = json.loads(json.dumps(files_statement("nlp/fraud", FILES)))
    change(told)
    with pytest.raises(BadEnvelope):
        files_of(told)


def test_private_keys_are_the_service_s_alone(tmp_path: Path) -> None:
    folder = tmp_path / "model-keys"
    custody = FolderCustody(folder)
    id = key_id(custody.create())
    (file,) = folder.iterdir()
    assert (stat.S_IMODE(file.stat().st_mode), stat.S_IMODE(folder.stat().st_mode)) == (0o600, 0o700)
    for wrong in ("0" * 64, "../x", ""):
        with pytest.raises(CustodyError):
            custody.sign(wrong, b"")
    other = FolderCustody(tmp_path / "other")
    other_id = key_id(other.create())
    (tmp_path / "other" / f"{other_id}.pem").replace(file)
    with pytest.raises(CustodyError, match="has another key"):
        custody.sign(id, b"")
    file.write_text("nothing")
    with pytest.raises(CustodyError, match="can't be read"):
        custody.sign(id, b"")


def test_what_is_no_key_of_ours_is_refused() -> None:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    form = (serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    larger = ec.generate_private_key(ec.SECP384R1()).public_key().public_bytes(*form).decode()
    for text in ("", "nothing", larger):
        with pytest.raises(BadKey):
            key_id(text)
