"""The wheel, installed in a fresh environment: what a notebook image gets."""

from __future__ import annotations

import subprocess
import sys
import venv
from pathlib import Path

import pytest

from aifactory_hub import __version__

ROOT = Path(__file__).resolve().parents[1]

INSIDE = """\
import importlib.metadata as metadata, importlib.util as util
import aifactory_hub.client, aifactory_hub.runner
from aifactory_profiles import load_catalogue
assert load_catalogue(["h100-80gb"]).profile("mig-1g.10gb").devices == {"nvidia.com/mig-1g.10gb": 1}
heavy = [n for n in ("kubespawner", "kubernetes_asyncio", "jupyterhub", "sqlalchemy", "tornado") if util.find_spec(n)]
assert not heavy, heavy
files = {str(f).split("/")[0] for f in metadata.files("aifactory-hub")}
top = {f for f in files if not f.startswith(("aifactory_hub-", ".."))}
assert top == {"aifactory_hub", "aifactory_spawner", "aifactory_profiles"}, top
names = {(e.group, e.name) for e in metadata.distribution("aifactory-hub").entry_points}
assert ("jupyterhub.spawners", "aifactory") in names and ("jupyterhub.authenticators", "aifactory") in names, names
print("good")
"""


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of a fresh environment that holds the wheel and what the wheel asks for."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    subprocess.run(build, check=True, capture_output=True, timeout=300)
    venv.create(folder / "env", with_pip=True)
    inside = folder / "env/bin/python"
    wheel = next(folder.glob("*.whl"))
    install = [
        str(inside),
        "-m",
        "pip",
        "install",
        "--quiet",
        "-c",
        str(ROOT / "requirements/constraints.txt"),
        str(wheel),
    ]
    subprocess.run(install, check=True, capture_output=True, timeout=300)
    return inside


def test_the_base_install_is_whole_and_light(python: Path) -> None:
    done = subprocess.run([python, "-c", INSIDE], capture_output=True, text=True, timeout=60, cwd=python.parent)
    assert done.stdout.strip() == "good", done.stderr


def test_the_panel_and_the_jobs_page_are_in_the_wheel_when_they_have_been_built(python: Path) -> None:
    there = (python.parents[1] / "share/jupyter/labextensions/@aifactory/hub/package.json").exists()
    assert there == (ROOT / "labextension/built/labextensions/@aifactory/hub/package.json").exists()
    page = (python.parents[1] / "share/aifactory-hub/page/page.json").exists()
    assert page == (ROOT / "labextension/built/page/page.json").exists()
    assert (python.parents[1] / "etc/jupyter/jupyter_server_config.d/aifactory_hub_lab.json").exists()


def test_the_command_runs_without_the_hub(python: Path) -> None:
    command = python.parent / "aifactory-hub"
    done = subprocess.run([command, "--version"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert __version__ in done.stdout
