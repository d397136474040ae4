"""The layers of the notebook image: a small Debian with its Python, the packages, and this project."""

from __future__ import annotations

import hashlib
import importlib.util
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

from .console import ClusterError, say
from .layers import Layer, cached_layer, key_of
from .settings import HERE, REPOSITORY, Layout, layout

SUITE = "bookworm"
IMAGE_PYTHON = (3, 11)
PACKAGES = "python3,ca-certificates"
REQUIREMENTS = HERE / "notebook-requirements.txt"
HUB_REQUIREMENTS = HERE / "hub-requirements.txt"
SITE = "usr/local/lib/python3.11/dist-packages"
# Not needed in a notebook pod, and half of the size.
PRUNED = ("jupyterlab/galata", "share/jupyterhub/static/components", "share/doc", "share/man")
_NOT_IN_THE_WHEEL = r"(tests|docs|charts|changelog\.d|benchmarks|\.ci|\.venv|labextension)/|node_modules/"
_PIP = ("--only-binary=:all:", "--python-version=3.11", "--implementation=cp", "--abi=cp311", "--abi=abi3",
        "--abi=none", "--platform=manylinux_2_28_x86_64", "--platform=manylinux_2_17_x86_64",
        "--platform=manylinux2014_x86_64")  # fmt: skip


def base_layer(where: Layout) -> Layer:
    return cached_layer(where, "base", key_of("3", SUITE, PACKAGES), _make_base)


def site_layer(where: Layout, base: Layer) -> Layer:
    key = key_of("7", base.digest, REQUIREMENTS.read_text(), PRUNED)
    return cached_layer(where, "site", key, lambda root: _make_site(root, base))


def hub_layer(where: Layout, base: Layer) -> Layer:
    """What hub and job service need on top of the notebook image."""
    key = key_of("1", base.digest, HUB_REQUIREMENTS.read_text())
    return cached_layer(where, "hub", key, lambda root: _make_hub(root, base))


def project_layer(where: Layout, base: Layer) -> Layer | None:
    """This repository's own wheel; None while the repository has no package."""
    if not (REPOSITORY / "pyproject.toml").exists():
        say("no pyproject.toml: the notebook image goes without this project's own package")
        return None
    key = key_of("3", base.digest, sources_key(), labextension_key())
    return cached_layer(where, "project", key, lambda root: _make_project(root, base))


def _shell(argv: list[str], what: str, cwd: Path | None = None) -> str:
    done = subprocess.run(argv, capture_output=True, text=True, cwd=cwd)
    if done.returncode:
        raise ClusterError(f"{what} failed:\n{(done.stdout + done.stderr)[-2500:]}")
    return done.stdout


def apt_mirror() -> str:
    """The mirror of Debian's main archive that this machine's own apt is configured with."""
    argv = ["apt-get", "indextargets", "--format", "$(LABEL)|$(REPO_URI)", "Created-By: Packages"]
    for line in _shell(argv, "apt-get indextargets").splitlines():
        label, _, uri = line.partition("|")
        if label == "Debian":
            return uri
    raise ClusterError("apt knows no Debian archive on this machine (run apt-get update)")


def _make_base(root: Path) -> None:
    # In namespaces of its own: debootstrap's mounts and processes vanish even if it is killed.
    isolated = ["unshare", "--mount", "--pid", "--fork", "--kill-child"]
    bootstrap = ["debootstrap", "--variant=minbase", f"--include={PACKAGES}", SUITE, str(root), apt_mirror()]
    _shell([*isolated, *bootstrap], "debootstrap")
    for waste in ("var/cache/apt", "var/lib/apt/lists", "usr/share/doc", "usr/share/man", "usr/share/locale",
                  "var/log", "dev", "usr/share/info", "debootstrap"):  # fmt: skip
        shutil.rmtree(root / waste, ignore_errors=True)
    for folder in ("var/log", "var/cache/apt/archives/partial", "var/lib/apt/lists/partial", "dev"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    with (root / "etc/passwd").open("a") as passwd:
        passwd.write("jovyan:x:1000:1000::/home/jovyan:/bin/bash\n")
    with (root / "etc/group").open("a") as group:
        group.write("jovyan:x:1000:\n")
    (root / "home/jovyan").mkdir(parents=True)
    shutil.chown(root / "home/jovyan", 1000, 1000)


def _with_pip() -> str:
    """A Python that has pip: this one, else an environment made for it in the cache (Debian's has none)."""
    if importlib.util.find_spec("pip"):
        return sys.executable
    environment = layout().cache / "pip"
    if not (environment / "bin" / "pip").exists():
        _shell([sys.executable, "-m", "venv", "--clear", str(environment)], "making an environment with pip")
    return str(environment / "bin" / "python")


def _pip(target: Path, *what: str) -> None:
    argv = [_with_pip(), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile"]
    _shell([*argv, "--root-user-action=ignore", *_PIP, "--target", str(target), *what], "pip install")


def _make_site(root: Path, base: Layer) -> None:
    site = root / SITE
    _pip(site, "--no-deps", "-r", str(REQUIREMENTS))
    _settle(root, site)
    for waste in PRUNED:
        for parent in (site, root / "usr/local"):
            shutil.rmtree(parent / waste, ignore_errors=True)
    for path in site.rglob("*.map"):
        path.unlink()
    for package in ("numpy", "scipy", "sklearn", "joblib"):
        for tests in list((site / package).rglob("tests")):
            shutil.rmtree(tests)
    _compile(root, base)


def _make_hub(root: Path, base: Layer) -> None:
    site = root / SITE
    _pip(site, "--no-deps", "-r", str(HUB_REQUIREMENTS))
    _settle(root, site, python=False)
    _compile(root, base)


def _settle(root: Path, site: Path, *, python: bool = True) -> None:
    """`pip --target` puts bin, share and etc inside the packages' folder; Jupyter looks in /usr/local."""
    for name in ("share", "etc", "bin"):
        if (site / name).exists():
            shutil.copytree(site / name, root / "usr/local" / name, dirs_exist_ok=True)
            shutil.rmtree(site / name)
    for script in (root / "usr/local/bin").glob("*"):
        data = script.read_bytes()
        if data.startswith(b"#!"):
            script.write_bytes(b"#!/usr/bin/python3\n" + data.partition(b"\n")[2])
            script.chmod(0o755)
    # Debian has no `python`; people who write `python train.py` expect one.
    if python:
        (root / "usr/local/bin/python").symlink_to("/usr/bin/python3")


def _compile(root: Path, base: Layer) -> None:
    """Compile as the image's Python: pods can't write .pyc files, and nobody checks their times."""
    options = ["-m", "compileall", "-qq", "-j0", "--invalidation-mode", "unchecked-hash"]
    if sys.version_info[:2] == IMAGE_PYTHON:
        argv = [sys.executable, *options, "-s", str(root), "-p", "/", str(root / SITE)]
        subprocess.run(argv, capture_output=True)  # some packages ship files that no Python compiles
        return
    with tempfile.TemporaryDirectory() as chroot:
        _shell(["tar", "-C", chroot, "-xf", str(base.path)], "unpack the base layer")
        python = f"chroot {chroot} python3 {' '.join(options)} /{SITE}"
        script = f"mount --bind {root / 'usr/local'} {chroot}/usr/local && {{ {python} || true; }}"
        _shell(["unshare", "--mount", "sh", "-c", script], "compileall")


def labextension_key() -> str:
    """Which build of the JupyterLab extension the wheel takes along."""
    try:
        return (REPOSITORY / "labextension/built/sources.json").read_text()
    except OSError:
        say("labextension/built is not there: the notebook image goes without the panel (make labextension)")
        return "none"


def sources_key() -> str:
    """What the wheel is made of: every file of the repository outside tests and documents."""
    listing = _shell(["git", "ls-files", "-co", "--exclude-standard", "-z"], "git ls-files", cwd=REPOSITORY)
    digest = hashlib.sha256()
    for name in sorted(set(listing.split("\0")) - {""}):
        path = REPOSITORY / name
        if not re.match(_NOT_IN_THE_WHEEL, name) and path.is_file():
            digest.update(f"{name}\0{hashlib.sha256(path.read_bytes()).hexdigest()}\0".encode())
    return digest.hexdigest()


def unmet(metadata: Iterable[Path], requirements: str) -> list[str]:
    """Names that a wheel needs without any extra and that the pinned list does not have."""
    pinned = {_normal(line.partition("==")[0]) for line in requirements.splitlines()}
    wanted: set[str] = set()
    for path in metadata:
        for name, rest in re.findall(r"^Requires-Dist: ([\w.-]+)(.*)$", path.read_text(), re.MULTILINE):
            if "extra ==" not in rest:
                wanted.add(_normal(name))
    return sorted(wanted - pinned)


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name.strip()).lower()


def _make_project(root: Path, base: Layer) -> None:
    with tempfile.TemporaryDirectory() as wheels:
        argv = [_with_pip(), "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check", "--no-deps"]
        _shell([*argv, "--wheel-dir", wheels, str(REPOSITORY)], "pip wheel of this repository")
        _pip(root / SITE, "--no-deps", *map(str, Path(wheels).glob("*.whl")))
    lacking = unmet((root / SITE).glob("aifactory_hub-*.dist-info/METADATA"), REQUIREMENTS.read_text())
    if lacking:
        raise ClusterError(f"{REQUIREMENTS.name} lacks what this project's wheel needs: {', '.join(lacking)}")
    _settle(root, root / SITE)
    _compile(root, base)
