"""The registry of models: sign and look at 1 GB beside sha256sum, a lineage among 100,000 jobs, 10,000 versions listed.

The files and the jobs are made. Hashing is compared with ``sha256sum`` of the same files in the same run, in turns,
once the files are in memory. With ``--model-signing PYTHON`` a Python that has the package model-signing joins in.
"""

from __future__ import annotations

import argparse
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from sqlalchemy import insert

from aifactory_hub.domain.job_spec import JobSpec
from aifactory_hub.domain.jobs import JobState
from aifactory_hub.domain.lineage import Direction, Node, NodeKind, walk
from aifactory_hub.domain.models import ModelVersion
from aifactory_hub.domain.statements import PROVENANCE, BuildFacts, Material, provenance
from aifactory_hub.service.models.checks import digest_of
from aifactory_hub.service.models.lineage import LineageReader
from aifactory_hub.signing.dsse import seal
from aifactory_hub.signing.keys import FolderCustody, check, key_id, trusted
from aifactory_hub.signing.manifest import FileEntry, FileSet
from aifactory_hub.signing.oms import bundle, files_statement, statement
from aifactory_hub.store import FileStore, JobRecord, Jobs, migrate, open_db
from aifactory_hub.store.datasets import Datasets
from aifactory_hub.store.jobs import row_values
from aifactory_hub.store.model_registry import ModelRegistry
from aifactory_hub.store.model_rows import version_values
from aifactory_hub.store.model_tables import AliasMoveRow, ModelRow, ModelUseRow, ModelVersionRow
from aifactory_hub.store.models import JobRow
from aifactory_hub.store.statements import FILES, Draft, append

from .frame import Report, summary

GIGABYTE, PARTS = 2**30, 4
JOBS, VERSIONS, LOOKS, ROUNDS = 100_000, 10_000, 200, 5
# One version of so many is of the job before it: chains of models that came from models.
CHAIN = 3


def timed(call: Callable[[], Any]) -> float:
    """Seconds."""
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def signing(folder: Path, peer: str | None, report: Report) -> None:
    """1 GB in four files: hashed by the service's own reader and signed; then read and looked at again."""
    store = FileStore(folder)
    place = store.own_folder("jobs/jbench000001/artifacts")
    place.mkdir(parents=True)
    names = [f"part-{n}.bin" for n in range(PARTS)]
    paths = []
    for n, name in enumerate(names):
        path = store.own_folder(store.artifact("jbench000001", name))
        with path.open("wb") as file:
            for block in range(GIGABYTE // PARTS // 2**20):
                file.write((block * PARTS + n).to_bytes(8, "big") * (2**20 // 8))
        paths.append(path)
    custody = FolderCustody(folder / "keys")
    public = custody.create()
    key = key_id(public)
    keys = {name: store.artifact("jbench000001", name) for name in names}

    def read() -> FileSet:
        return FileSet.of(FileEntry(name, GIGABYTE // PARTS, str(digest_of(store, keys[name]))) for name in names)

    def sign() -> dict[str, Any]:
        return bundle(seal(files_statement("team/bench", read()), key, lambda content: custody.sign(key, content)))

    made = seal(files_statement("team/bench", read()), key, lambda content: custody.sign(key, content))

    def verify() -> None:
        assert check(made, trusted([public])).problem is None
        assert read().root == made.statement()["subject"][0]["digest"]["sha256"]

    calls: dict[str, Callable[[], Any]] = {
        "sha256sum": lambda: subprocess.run(["sha256sum", *map(str, paths)], check=True, capture_output=True),
        "ours: sign": sign,
        "ours: verify": verify,
    }
    if peer is not None:
        calls |= _peer(folder, paths, peer)
    for call in calls.values():
        call()
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(ROUNDS):
        for name, call in calls.items():
            seconds[name].append(timed(call))
    base = min(seconds["sha256sum"])
    for name, values in seconds.items():
        told = {"what": f"1 GB in {PARTS} files, {name}", **summary(values), "unit": "s"}
        report.rows.append({**told, "speed of sha256sum (best)": round(base / min(values), 2)})
    report.raw["signing"] = seconds


def _peer(folder: Path, paths: list[Path], python: str) -> dict[str, Callable[[], Any]]:
    model, sig, private = folder / "peer", folder / "peer.sig", next((folder / "keys").iterdir())
    model.mkdir()
    for path in paths:
        (model / path.name).hardlink_to(path)
    public = folder / "peer.pem"
    public.write_bytes(
        subprocess.run(["openssl", "ec", "-in", private, "-pubout"], capture_output=True, check=True).stdout
    )
    base = [python, "-m", "model_signing"]
    signs = [*base, "sign", "key", str(model), "--private_key", str(private), "--signature", str(sig)]
    looks = [*base, "verify", "key", str(model), "--public_key", str(public), "--signature", str(sig)]
    return {
        "model_signing 1.1.1: sign": lambda: subprocess.run(signs, check=True, capture_output=True),
        "model_signing 1.1.1: verify": lambda: subprocess.run(looks, check=True, capture_output=True),
    }


def records(folder: Path) -> tuple[ModelRegistry, Jobs]:
    """100,000 jobs, of which each tenth made a version of one of ten models; every third used the version before it."""
    db = open_db(f"sqlite:///{folder / 'bench.sqlite'}")
    migrate(db)
    jobs = [_job(n) for n in range(JOBS)]
    with db.begin() as connection:
        for begin in range(0, JOBS, 5000):
            some = jobs[begin : begin + 5000]
            connection.execute(insert(JobRow), [{**row_values(job), "journaled": 1} for job in some])
        connection.execute(insert(ModelRow), [_model(n) for n in range(10)])
        made = list(_versions())
        connection.execute(insert(ModelVersionRow), [version_values(version, files) for version, files in made])
        drafts = [draft for version, files in made for draft in _drafts(version, files)]
        append(connection, drafts, 1.0)
        uses = [
            {"version": made[n - 1][0].id, "user": "ada", "job": made[n][0].job, "first_at": 1.0, "last_at": 1.0}
            for n in range(1, len(made))
            if n % CHAIN
        ]
        connection.execute(insert(ModelUseRow), uses)
        moves = [
            {
                "number": n + 1,
                "model": version.model,
                "alias": "prod",
                "kind": "promote",
                "before": None,
                "after": version.id,
                "by": "ada",
                "at": 1.0,
                "reason": "",
                "approval": None,
                "bundle": "",
            }
            for n, (version, _) in enumerate(made[-10:])
        ]
        connection.execute(insert(AliasMoveRow), moves)
    return ModelRegistry(db), Jobs(db)


def _job(n: int) -> JobRecord:
    told, image = {"commit": f"{n // 50:040x}", "dirty": False}, f"repo@sha256:{n // 1000:064x}"
    spec = JobSpec(f"train-{n}", "python train.py", "mig-1g.10gb", provenance=told, image=image)
    return JobRecord(f"j{n:012d}", "nlp", "ada", f"k{n}", "", float(n), spec, state=JobState.SUCCEEDED)


def _model(n: int) -> dict[str, Any]:
    made = {"description": "", "created_at": 1.0, "created_by": "ada"}
    return {"id": f"m{n}", "tenant": "nlp", "name": f"model-{n}", **made}


def _versions() -> Iterator[tuple[ModelVersion, FileSet]]:
    # All of one model for the list; the lineage does not care.
    for n in range(VERSIONS):
        files = FileSet.of([FileEntry("w.safetensors", n, f"{n:064x}")])
        job = f"j{n * (JOBS // VERSIONS):012d}"
        model = "m0" if n < VERSIONS - 9 else f"m{n - VERSIONS + 10}"
        version = ModelVersion(f"v{n:06d}", model, n + 1, files.digest, files.root, n, 1, job, 1, "", "ada", float(n))
        yield version, files


def _drafts(version: ModelVersion, files: FileSet) -> list[Draft]:
    n = int(version.job[1:])
    commit = Material("commit", "c", {"gitCommit": f"{n // 50:040x}"}, "declared")
    image = Material("image", "repo", {"sha256": f"{n // 1000:064x}"})
    told = provenance(BuildFacts(version.job, 1, "nlp", "ada", {}, {}, [commit, image], "", "", None, None, None, {}))
    made = seal(statement("nlp/m", files, PROVENANCE, told), "0" * 64, lambda _: b"unsigned")
    return [
        Draft(FILES, files.digest, version.id, "0" * 64, made.text()),
        Draft("provenance", files.digest, version.id, "0" * 64, made.text()),
    ]


def lineage(registry: ModelRegistry, jobs: Jobs, report: Report) -> None:
    """Depth 6, in both directions, of versions all over; and down from commits and images."""
    datasets = Datasets(registry.db)

    def facts(job: JobRecord, attempt: int) -> BuildFacts:
        commit = Material("commit", "c", {"gitCommit": str((job.spec.provenance or {}).get("commit"))}, "declared")
        image = Material("image", "repo", {"sha256": str(job.spec.image).partition(":")[2]})
        return BuildFacts(job.id, attempt, "nlp", "ada", {}, {}, [commit, image], "", "", None, None, None, {})

    starts: dict[str, Callable[[int], Node]] = {}
    reader = LineageReader(registry, jobs, datasets, facts)
    versions = registry.versions("m0", limit=LOOKS * 40)[::40]
    starts["a version, both ways"] = lambda n: reader.version_node(versions[n])
    starts["a commit, down"] = lambda n: Node(NodeKind.COMMIT, f"commit:{n * 7:040x}", "c", f"{n * 7:040x}")
    starts["an image, down"] = lambda n: Node(NodeKind.IMAGE, f"image:{n % 100:064x}", "i", f"{n % 100:064x}")
    for name, start in starts.items():
        way = Direction.BOTH if name.endswith("ways") else Direction.DOWN
        taken, sizes = [], []
        for n in range(LOOKS):
            again = LineageReader(registry, jobs, datasets, facts)
            node = start(n)
            began = time.perf_counter()
            graph = walk(node, way, 6, again.look, ["nlp"])
            taken.append(1000 * (time.perf_counter() - began))
            sizes.append(len(graph.nodes))
        nodes = summary([float(size) for size in sizes], digits=0)
        what = f"lineage, depth 6, {JOBS:,} jobs: {name} (nodes p50 {nodes['p50']:g}, most {nodes['max']:g})"
        report.rows.append({"what": what, **summary(taken), "unit": "ms"})
        report.raw[name] = taken


def listed(registry: ModelRegistry, report: Report) -> None:
    """A page of 200 of 10,000 versions, and the model with its aliases."""
    model = registry.model("m0")
    assert model is not None

    def page(before: int, limit: int) -> Callable[[], Any]:
        return lambda: registry.versions("m0", limit=limit, before=before)

    taken: dict[str, list[float]] = {
        "200 of 10,000 versions": [1000 * timed(page(VERSIONS - n * 150, 200)) for n in range(50)],
        "all of 10,000 versions": [1000 * timed(page(VERSIONS, VERSIONS)) for _ in range(10)],
        "the model with its aliases": [1000 * timed(lambda: registry.summary(model)) for _ in range(50)],
    }
    for name, values in taken.items():
        report.rows.append({"what": name, **summary(values), "unit": "ms"})
        report.raw[name] = values


def main() -> None:
    """Measure, and keep the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model-signing", metavar="PYTHON", help="A Python that has model-signing 1.1.1.")
    asked = parser.parse_args()
    report = Report(
        "models",
        "How fast are models signed, looked at, listed, and their lineage found?",
        simulated=("the files", "the jobs"),
        packages=("cryptography", "sqlalchemy"),
    )
    with tempfile.TemporaryDirectory() as folder:
        signing(Path(folder) / "files", asked.model_signing, report)
    with tempfile.TemporaryDirectory() as folder:
        registry, jobs = records(Path(folder))
        lineage(registry, jobs, report)
        listed(registry, report)
        jobs.close()
    report.finish()


if __name__ == "__main__":
    main()
