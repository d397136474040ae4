"""A version passes when bytes, signatures and provenance are as they were; else what is wrong is named."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from aifactory_hub.domain.models import Alias, AliasMove, ModelVersion, MoveKind, VersionState
from aifactory_hub.domain.promotions import Signed, Verification, VersionEvidence, may_move, verify
from aifactory_hub.domain.refusals import RefusalReason
from aifactory_hub.domain.statements import PROVENANCE, BuildFacts, Material, differences, provenance
from aifactory_hub.signing.dsse import seal
from aifactory_hub.signing.keys import FolderCustody, KeyFacts, key_id
from aifactory_hub.signing.manifest import FileEntry, FileSet
from aifactory_hub.signing.oms import files_statement, statement

FILES = FileSet.of([FileEntry("a.txt", 1, "1" * 64), FileEntry("b.txt", 2, "2" * 64)])
VERSION = ModelVersion(
    "v1", "m1", 3, FILES.digest, FILES.root, FILES.size, 2, "j1", 1, "model/", "ada", 1.0, formats={"text": 2}
)
FACTS = BuildFacts(
    "j1",
    1,
    "nlp",
    "ada",
    {"command": "python train.py", "profile": "mig"},
    {"devices": [], "gpu": {"model": "H100"}},
    [Material("files", "snapshot", {"sha256": "3" * 64})],
    "http://hub/services/aifactory",
    "1.0",
    10.0,
    20.0,
    "4" * 64,
    {"metrics": {"loss": 0.5}},
)


class Signer:
    def __init__(self, folder: Path) -> None:
        self.custody = FolderCustody(folder)
        self.public = self.custody.create()
        self.key = key_id(self.public)

    def sign(self, number: int, told: dict[str, Any]) -> Signed:
        return Signed(number, seal(told, self.key, lambda content: self.custody.sign(self.key, content)))


@pytest.fixture(scope="module")
def signer(tmp_path_factory: pytest.TempPathFactory) -> Signer:
    return Signer(tmp_path_factory.mktemp("keys"))


@pytest.fixture
def evidence(signer: Signer) -> VersionEvidence:
    rows = provenance(FACTS)
    return VersionEvidence(
        version=VERSION,
        name="nlp/fraud",
        files=FILES,
        read={file.name: file.sha256 for file in FILES.files},
        files_statement=signer.sign(2, files_statement("nlp/fraud", FILES)),
        provenance=signer.sign(3, statement("nlp/fraud", FILES, PROVENANCE, rows)),
        keys={signer.key: KeyFacts(signer.key, signer.public)},
        rows=rows,
    )


def fields(found: Verification) -> list[str]:
    return [trouble.field for trouble in found.troubles]


def test_what_is_as_it_was_passes(evidence: VersionEvidence, signer: Signer) -> None:
    assert verify(evidence) == Verification(key=signer.key)


def test_a_wrong_byte_and_a_missing_file_are_damage_and_named(evidence: VersionEvidence) -> None:
    found = verify(replace(evidence, read={"a.txt": "9" * 64, "b.txt": None}))
    assert (fields(found), found.damaged, found.ok) == (["files.a.txt", "files.b.txt"], True, False)
    assert "'a.txt' is not what was registered" in found.troubles[0].message


def test_every_other_thing_that_is_wrong_is_named_and_is_no_damage(evidence: VersionEvidence, signer: Signer) -> None:
    other = FileSet.of([FileEntry("a.txt", 1, "1" * 64), FileEntry("c.txt", 2, "2" * 64)])
    id = signer.key
    told: dict[str, list[dict[str, Any]]] = {
        "signature.files": [
            {"files_statement": None},
            {"files_statement": signer.sign(2, files_statement("vision/fraud", FILES))},
            {"files_statement": signer.sign(2, files_statement("nlp/fraud", other))},
            {
                "files_statement": signer.sign(9, files_statement("nlp/fraud", FILES)),
                "keys": {id: _key(signer, last=5)},
            },
            {"files_statement": evidence.provenance},
        ],
        "signature.provenance": [
            {"provenance": None},
            {"provenance": evidence.files_statement},
            {"provenance": signer.sign(3, statement("nlp/fraud", other, PROVENANCE, {}))},
        ],
        "files": [{"version": replace(VERSION, digest=other.digest)}],
        "provenance.job": [{"rows": None}],
        "provenance.buildDefinition.externalParameters.command": [
            {"rows": provenance(replace(FACTS, parameters={**FACTS.parameters, "command": "python evil.py"}))}
        ],
        "provenance.buildDefinition.resolvedDependencies": [{"rows": provenance(replace(FACTS, materials=[]))}],
        "provenance.runDetails.metadata.invocationId": [{"rows": provenance(replace(FACTS, job="j2"))}],
    }
    for field, changes in told.items():
        for change in changes:
            found = verify(replace(evidence, **change))
            assert fields(found)[:1] == [field], (field, change, found)
            assert not found.damaged


def _key(signer: Signer, **rest: Any) -> KeyFacts:
    return KeyFacts(signer.key, signer.public, **rest)


def test_no_key_of_ours_and_a_revoked_one(evidence: VersionEvidence, signer: Signer) -> None:
    assert fields(verify(replace(evidence, keys={}))) == ["signature.files", "signature.provenance"]
    revoked = {signer.key: _key(signer, revoked=1.0, why="copied")}
    found = verify(replace(evidence, keys=revoked))
    assert "revoked key" in found.troubles[0].message


def test_what_may_change_is_no_difference() -> None:
    before = provenance(FACTS)
    place = {**FACTS.place, "gpu": {"model": "renamed"}}
    after = provenance(replace(FACTS, owner="ada-2", builder="elsewhere", builder_version="2", claims={}, place=place))
    assert differences(before, after) == []
    assert differences({}, before) != []


FROZEN = AliasMove(1, "m1", "prod", MoveKind.FREEZE, "v0", "v0", "grace", 1.0, "release week")


@pytest.mark.parametrize(
    ("version", "alias", "back", "reason"),
    [
        (VERSION, Alias("prod"), False, None),
        (VERSION, Alias("prod", "v0", frozen=FROZEN, held=("v0",)), False, RefusalReason.ALIAS_FROZEN),
        (VERSION, Alias("prod", "v0", frozen=FROZEN, held=("v1", "v0")), True, None),
        (VERSION, Alias("prod", "v0", held=("v0",)), True, RefusalReason.NEVER_HELD),
        (VERSION, Alias("prod", "v1", held=("v0", "v1")), True, RefusalReason.NEVER_HELD),
        (replace(VERSION, state=VersionState.QUARANTINED, why="x"), Alias("prod"), False, RefusalReason.QUARANTINED),
    ],
)
def test_where_an_alias_may_lead(version: ModelVersion, alias: Alias, back: bool, reason: RefusalReason | None) -> None:
    found = may_move(Verification(), version, alias, "fraud", back=back)
    assert (None if found is None else found.reason) == reason


def test_what_does_not_pass_goes_nowhere_and_says_why(evidence: VersionEvidence) -> None:
    looked = verify(replace(evidence, read={"a.txt": "9" * 64, "b.txt": None}))
    for back in (False, True):
        alias = Alias("prod", "v0", held=("v1", "v0"))
        found = may_move(looked, VERSION, alias, "fraud", back=back)
        assert found is not None
        assert (found.reason, found.field) == (RefusalReason.NOT_VERIFIED, "files.a.txt")
        assert found.message.startswith("Version 3 of fraud does not pass: the file 'a.txt'")
        assert found.message.endswith("1 more things are wrong with it.")
