"""The Go programs of the cluster: one module and one `go build` for each group, cached by their sources."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import tempfile
import threading
from dataclasses import dataclass, field
from pathlib import Path

from .console import ClusterError, say, step, together
from .settings import PROGRAMS, Layout
from .toolchain import go_toolchain

KUBERNETES = "v1.35.0"
_COMMON = ("-trimpath", "-buildvcs=false", "-gcflags=all=-dwarf=false")
_VERSION = " ".join(
    f"-X {package}.{name}={value}"
    for package in ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version")
    for name, value in (("gitVersion", KUBERNETES), ("gitMajor", "1"), ("gitMinor", "35"))
)


@dataclass(frozen=True, slots=True)
class Module:
    name: str
    ldflags: str
    rename: dict[str, str] = field(default_factory=dict)

    @property
    def folder(self) -> Path:
        return PROGRAMS / self.name

    @property
    def patched(self) -> dict[str, Path]:
        """Modules whose archives lack files that a build needs -> the folder with those files."""
        roots = sorted((self.folder / "patched").rglob("v[0-9]"))
        return {str(root.relative_to(self.folder / "patched")): root for root in roots}


# In the order of building: the one whose build takes longest first.
MODULES = (
    Module("kubernetes", f"-s -w {_VERSION}", {"server": "etcd"}),
    Module("kueue", "-s -w", {"kueue": "manager"}),
    Module("dex", "-s -w"),
    Module("policies", "-s -w"),
)

# What runs in a tenant's vCluster for the engines of jobs: only tests that need it build and start it (engines.py).
# JobSet and Trainer take Kueue's requirements, so that next to nothing is left to compile; Argo 4.0 compiles with none
# of the Kubernetes versions that the others have.
ENGINES = Module("engines", "-s -w", {"jobset": "jobset-manager", "trainer-controller-manager": "trainer-manager"})
ARGO = Module("argo", "-s -w")
# A driver of simulated devices, with the libraries of the Kubernetes above (dra.py).
DRA = Module("dra", "-s -w")


def build_key(module: Module) -> str:
    """Names a build by all that decides its outcome: sources, sums, flags."""
    digest = hashlib.sha256("\0".join([*_COMMON, module.ldflags, str(module.rename)]).encode())
    for path in sorted(module.folder.rglob("*")):
        if path.suffix in {".go", ".mod", ".sum"}:
            digest.update(f"{path.relative_to(module.folder)}\0".encode() + path.read_bytes())
    return digest.hexdigest()[:20]


def bin_folder(where: Layout, module: Module) -> Path:
    return where.cache / "programs" / module.name / build_key(module) / "bin"


def program(where: Layout, name: str) -> str:
    for module in (*MODULES, ENGINES, ARGO, DRA):
        path = bin_folder(where, module) / name
        if path.exists():
            return str(path)
    raise ClusterError(f"{name} is not built: python3 -m tests.cluster build")


def build_all(where: Layout, modules: tuple[Module, ...] = MODULES) -> None:
    """Build what the cache lacks. Modules download side by side; builds, which use all cores, in turn."""
    missing = [m for m in modules if not bin_folder(where, m).exists()]
    if not missing:
        return
    go = go_toolchain()
    downloads = {m.name: threading.Event() for m in missing}

    def download() -> None:
        together([lambda m=m: _download(go, m, downloads[m.name]) for m in missing])  # type: ignore[misc]

    def build() -> None:
        for module in missing:
            downloads[module.name].wait()
            _build(where, go, module)

    together([download, build])


def _environment() -> dict[str, str]:
    return {**os.environ, "GOFLAGS": "-mod=readonly", "GOTOOLCHAIN": "local", "GOWORK": "off"}


def _download(go: Path, module: Module, done: threading.Event) -> None:
    try:
        with step(f"download {module.name} modules"):
            _run([str(go), "mod", "download"], module, f"download {module.name}")
    finally:
        done.set()


def _run(argv: list[str], module: Module, what: str) -> str:
    done = subprocess.run(argv, cwd=module.folder, env=_environment(), capture_output=True, text=True)
    if done.returncode:
        raise ClusterError(f"{what} failed:\n{done.stderr[-3000:]}")
    return done.stdout


def _build(where: Layout, go: Path, module: Module) -> None:
    final = bin_folder(where, module).parent
    final.parent.mkdir(parents=True, exist_ok=True)
    compiled = [0]
    with tempfile.TemporaryDirectory(dir=final.parent, prefix=".half-") as half:
        out = Path(half) / "bin"
        out.mkdir()
        options = _patch(go, module, Path(half))
        total = len(_run([str(go), "list", *options, "-deps", "tool"], module, f"list {module.name}").split())
        with step(f"build {module.name}", lambda: f"({compiled[0]} of at most {total} packages)"):
            _compile(go, module, out, compiled, options)
        for old, new in module.rename.items():
            (out / old).rename(out / new)
        if not final.exists():
            for left in [*Path(half).glob("patched*")]:
                shutil.rmtree(left) if left.is_dir() else left.unlink()
            Path(half).rename(final)
            Path(half).mkdir()  # for TemporaryDirectory to remove
            final.chmod(0o755)
    _prune(final)


def _patch(go: Path, module: Module, half: Path) -> list[str]:
    """Options that let `go` take copies of the patched modules, with the missing files in them."""
    if not module.patched:
        return []
    replaced = []
    for name, missing in module.patched.items():
        source = _run([str(go), "list", "-m", "-f", "{{.Dir}}", name], module, f"find {name}").strip()
        copy = half / "patched" / name
        shutil.copytree(source, copy, copy_function=shutil.copyfile)
        for folder in [copy, *(path for path in copy.rglob("*") if path.is_dir())]:
            folder.chmod(0o755)
        shutil.copytree(missing, copy, dirs_exist_ok=True)
        replaced.append(f"replace {name} => {copy}\n")
    modfile = half / "patched.mod"
    modfile.write_text((module.folder / "go.mod").read_text() + "".join(replaced))
    shutil.copyfile(module.folder / "go.sum", modfile.with_suffix(".sum"))
    return [f"-modfile={modfile}"]


def _compile(go: Path, module: Module, out: Path, compiled: list[int], options: list[str]) -> None:
    argv = [str(go), "build", *options, "-v", *_COMMON, "-ldflags", module.ldflags, "-o", f"{out}/", "tool"]
    process = subprocess.Popen(argv, cwd=module.folder, env=_environment(), stderr=subprocess.PIPE, text=True)
    lines: list[str] = []
    assert process.stderr is not None
    for line in process.stderr:
        compiled[0] += 1
        lines = [*lines[-40:], line]
    if process.wait():
        raise ClusterError(f"build {module.name} failed:\n{''.join(lines)}")


def _prune(keep: Path) -> None:
    """Remove other keys of the module and what a killed build left; a build of now has its own folder."""
    for old in keep.parent.iterdir():
        if old != keep:
            say(f"removing old build {old.name}")
            shutil.rmtree(old, ignore_errors=True)


def module_folder(where: Layout, module: Module, dependency: str) -> Path:
    """Where a module's chart is: beside its sources. Remembered, since asking `go` takes a second."""
    remembered = bin_folder(where, module).parent / "folders.json"
    known: dict[str, str] = json.loads(remembered.read_text()) if remembered.exists() else {}
    if not Path(known.get(dependency, "/nowhere")).exists():
        argv = [str(go_toolchain()), "list", "-m", "-f", "{{.Dir}}", dependency]
        known[dependency] = _run(argv, module, f"find {dependency}").strip()
        remembered.write_text(json.dumps(known))
    return Path(known[dependency])
