"""A second opinion on signatures: the package model-signing, in a Python of its own, and ours, on each other's work.

    python -m tests.e2e.model_signing_peer PYTHON

PYTHON has model-signing 1.1.1 and pyOpenSSL (``make e2e-model-signing`` makes it). The last line says how many of the
checks went as they should.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from aifactory_hub.signing.dsse import seal
from aifactory_hub.signing.keys import FolderCustody, KeyFacts, check, key_id, trusted
from aifactory_hub.signing.manifest import FileEntry, FileSet
from aifactory_hub.signing.oms import bundle, envelope_in, files_of, files_statement

FILES = {"a.txt": b"1", "a/b.bin": b"2" * 5000, "weights/ü.safetensors": b"3", "empty": b""}


class Pair:
    """A folder with a model and a key, and both programs."""

    def __init__(self, root: Path, python: str) -> None:
        self.model, self.keys, self.python = root / "model", root / "keys", python
        for name, content in FILES.items():
            (self.model / name).parent.mkdir(parents=True, exist_ok=True)
            (self.model / name).write_bytes(content)
        self.custody = FolderCustody(self.keys)
        self.public = self.custody.create()
        self.key = key_id(self.public)
        self.ours, self.theirs, self.pem = root / "ours.sig", root / "theirs.sig", root / "key.pem"
        self.pem.write_text(self.public)
        self.other = root / "other.pem"
        self.other.write_text(FolderCustody(root / "other").create())

    def sign(self) -> None:
        """With ours."""
        envelope = seal(files_statement("nlp/fraud", self.files()), self.key, lambda c: self.custody.sign(self.key, c))
        self.ours.write_text(json.dumps(bundle(envelope)))

    def files(self) -> FileSet:
        """What is in the folder."""
        paths = [path for path in self.model.rglob("*") if path.is_file()]
        return FileSet.of(
            FileEntry(
                p.relative_to(self.model).as_posix(), p.stat().st_size, hashlib.sha256(p.read_bytes()).hexdigest()
            )
            for p in paths
        )

    def they(self, verb: str, *rest: str) -> bool:
        """Whether theirs says yes."""
        command = [self.python, "-m", "model_signing", verb, "key", str(self.model), *rest]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0

    def they_verify(self, signature: Path, key: Path | None = None) -> bool:
        """Whether theirs believes a signature."""
        return self.they("verify", "--signature", str(signature), "--public_key", str(key or self.pem))

    def we_verify(self, signature: Path, keys: dict[str, KeyFacts] | None = None) -> bool:
        """Whether ours does, files included."""
        envelope = envelope_in(json.loads(signature.read_text()))
        if check(envelope, trusted([self.public]) if keys is None else keys).problem is not None:
            return False
        signed = {file.name: file.sha256 for file in files_of(envelope.statement()).files}
        return signed == {file.name: file.sha256 for file in self.files().files}


def checks(pair: Pair) -> dict[str, Callable[[], bool]]:
    """What has to be so, in this order."""
    private = str(next(pair.keys.iterdir()))
    revoked = {pair.key: KeyFacts(pair.key, pair.public, revoked=1.0, why="copied")}
    damaged = pair.model / "a/b.bin"

    def flip() -> bool:
        damaged.write_bytes(b"X" + damaged.read_bytes()[1:])
        return True

    def mend() -> bool:
        damaged.write_bytes(FILES["a/b.bin"])
        (pair.model / "more").unlink(missing_ok=True)
        return True

    def more() -> bool:
        (pair.model / "more").write_bytes(b"")
        return True

    return {
        "theirs believes ours": lambda: pair.they_verify(pair.ours),
        "theirs signs": lambda: pair.they("sign", "--private_key", private, "--signature", str(pair.theirs)),
        "ours believes theirs": lambda: pair.we_verify(pair.theirs),
        "theirs refuses a foreign key": lambda: not pair.they_verify(pair.ours, pair.other),
        "ours refuses a foreign key": lambda: not pair.we_verify(pair.theirs, trusted([pair.other.read_text()])),
        "ours refuses a revoked key": lambda: not pair.we_verify(pair.theirs, revoked),
        "a byte is flipped": flip,
        "theirs sees it": lambda: not pair.they_verify(pair.ours),
        "ours sees it": lambda: not pair.we_verify(pair.theirs),
        "the byte is put back": mend,
        "both believe again": lambda: pair.they_verify(pair.ours) and pair.we_verify(pair.theirs),
        "a file is added": more,
        "theirs sees the file": lambda: not pair.they_verify(pair.ours),
        "ours sees the file": lambda: not pair.we_verify(pair.theirs),
    }


def main(python: str) -> int:
    """The number of checks that went wrong."""
    with tempfile.TemporaryDirectory() as folder:
        pair = Pair(Path(folder), python)
        pair.sign()
        told = {name: call() for name, call in checks(pair).items()}
    for name, right in told.items():
        print(f"{'ok   ' if right else 'WRONG'} {name}")
    print(f"models: {sum(told.values())} of {len(told)}")
    return len(told) - sum(told.values())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
