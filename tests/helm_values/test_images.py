"""The Dockerfiles install what the distribution asks for, and nothing moves by itself."""

from __future__ import annotations

import re
import tomllib

import pytest
from packaging.requirements import Requirement

from .values import FOLDER, ROOT

CONTENT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PROJECT = CONTENT["project"]
IMAGES = FOLDER / "images"
# The chart's hub image 4.4.0 has these.
OF_THE_CHART = {
    "jupyterhub", "jupyterhub-kubespawner", "oauthenticator", "kubernetes-asyncio", "sqlalchemy", "alembic",
    "pydantic", "tornado", "aiohttp", "pyjwt", "ruamel-yaml", "typing-extensions", "prometheus-client",
    "yarl",  # aiohttp asks for it itself
    "cryptography",  # certipy asks for it, which JupyterHub asks for
}  # fmt: skip


def name_of(requirement: str) -> str:
    return re.sub(r"[-_.]+", "-", Requirement(requirement).name).lower()


def pins(image: str) -> dict[str, Requirement]:
    lines = (IMAGES / image / "requirements.txt").read_text(encoding="utf-8").splitlines()
    return {name_of(line): Requirement(line) for line in lines if line and not line.startswith("#")}


@pytest.mark.parametrize("image", ["hub", "singleuser"])
def test_everything_is_pinned(image: str) -> None:
    for requirement in pins(image).values():
        assert [clause.operator for clause in requirement.specifier] == ["=="], requirement


@pytest.mark.parametrize("image", ["hub", "singleuser"])
def test_pins_are_versions_that_the_distribution_accepts(image: str) -> None:
    asked = [*PROJECT["dependencies"], *(r for extra in PROJECT["optional-dependencies"].values() for r in extra)]
    for requirement in asked:
        pin = pins(image).get(name_of(requirement))
        if pin is not None:
            version = str(pin.specifier).removeprefix("==")
            assert Requirement(requirement).specifier.contains(version), (requirement, version)


def test_the_hub_s_image_lacks_nothing() -> None:
    extras = PROJECT["optional-dependencies"]
    asked = [*PROJECT["dependencies"], *extras["hub"], *extras["service"]]
    missing = {name_of(requirement) for requirement in asked} - OF_THE_CHART - set(pins("hub"))
    assert not missing


def test_the_test_cluster_s_image_of_the_hub_lacks_nothing() -> None:
    """Its packages are installed without looking further: one that is missing ends the job service at its start."""
    files = [ROOT / f"tests/cluster/{name}-requirements.txt" for name in ("notebook", "hub")]
    lines = [line for file in files for line in file.read_text(encoding="utf-8").splitlines()]
    have = {name_of(line) for line in lines if line and not line.startswith("#")}
    extras = PROJECT["optional-dependencies"]
    asked = [*PROJECT["dependencies"], *extras["hub"], *extras["service"]]
    assert {name_of(requirement) for requirement in asked} - have == set()


def test_the_hub_s_image_has_the_jobs_page() -> None:
    page = "labextension/built/page"
    assert page in CONTENT["tool"]["hatch"]["build"]["targets"]["wheel"]["shared-data"]
    steps = (IMAGES / "hub/Dockerfile").read_text(encoding="utf-8")
    assert steps.index("labextension/build.py") < steps.index("pip wheel") < steps.index("find_page_files")


def test_the_provisioner_s_image_has_what_its_deployment_names() -> None:
    steps = (IMAGES / "provisioner/Dockerfile").read_text(encoding="utf-8")
    deployment = (ROOT / "charts/aifactory-hub/templates/provisioner.yaml").read_text(encoding="utf-8")
    for file in ("/usr/share/aifactory/vcluster.tgz", "/usr/share/aifactory/vcluster.yaml"):
        assert file in steps and f"={file}" in deployment


def test_the_notebook_s_image_lacks_nothing_and_has_no_cluster_client() -> None:
    have = pins("singleuser")
    assert {name_of(requirement) for requirement in PROJECT["dependencies"]} <= set(have)
    assert not {"kubernetes-asyncio", "jupyterhub-kubespawner", "sqlalchemy"} & set(have)


@pytest.mark.parametrize("image", ["hub", "singleuser", "provisioner"])
def test_the_image_does_not_run_as_root(image: str) -> None:
    """A number: a variable may be empty, which means root, and Kubernetes can't see of a name that it is not root."""
    lines = (IMAGES / image / "Dockerfile").read_text(encoding="utf-8").splitlines()
    users = [line.removeprefix("USER ") for line in lines if line.startswith("USER ")]
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", users[-1])


@pytest.mark.parametrize("image", ["hub", "singleuser", "provisioner"])
def test_what_a_dockerfile_copies_exists(image: str) -> None:
    for line in (IMAGES / image / "Dockerfile").read_text(encoding="utf-8").splitlines():
        if line.startswith("COPY ") and "--from" not in line:
            for source in line.split()[1:-1]:
                assert (ROOT / source).exists(), source


def test_images_build_the_panel_and_the_jobs_page_with_what_the_tests_build_it_with() -> None:
    tested = dict(
        line.split("==") for line in (ROOT / "requirements/constraints.txt").read_text().splitlines() if "==" in line
    )
    lines = (IMAGES / "requirements-build.txt").read_text(encoding="utf-8").splitlines()
    pinned = dict(line.split("==") for line in lines if not line.startswith("#"))
    assert pinned and pinned == {name: tested[name] for name in pinned}


def test_an_image_takes_the_panel_s_sources_and_nothing_that_was_built_outside() -> None:
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    for line in (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines():
        if line.startswith("/labextension/"):
            assert line.strip("/") in ignored
