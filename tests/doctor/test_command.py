"""``aifactory-hub doctor`` on files, and on an API server that says no."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from aifactory_hub.cli import main
from aifactory_hub.doctor import FileSource, SourceError
from aifactory_hub.doctor.sources import _PLURALS, path_of
from aifactory_hub.registry import read_registry
from aifactory_hub.registry.output import yaml_documents
from aifactory_hub.registry.render import host_objects

from ..registry.files import GOOD, SOURCE

NODE = {
    "apiVersion": "v1",
    "kind": "Node",
    "metadata": {"name": "n1", "labels": {"nvidia.com/gpu.product": "NVIDIA-H100-80GB-HBM3"}},
    "spec": {},
    "status": {"allocatable": {"nvidia.com/mig-1g.10gb": "7", "nvidia.com/mig-3g.40gb": "2", "memory": "1Ti"}},
}
TENANTS = (
    GOOD.replace("https://idp.example.org/dex", "http://127.0.0.1:9/dex")
    .replace("hub.example.org", "127.0.0.1:9")
    .replace("127.0.0.1:9:8081", "127.0.0.1:9")
)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "tenants.yaml"
    path.write_text(TENANTS)
    return path


def doctor(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["doctor", *map(str, arguments)])


def test_offline_it_looks_at_the_file_alone(file: Path) -> None:
    done = doctor(file, "--offline")
    assert done.exit_code == 0, done.output
    assert "quotas of nvidia.com/mig-1g.10gb (h100-80gb) are within what there is: 6 of 7 given" in done.output
    assert "unknown" not in done.output


def test_a_wrong_file_is_trouble_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "tenants.yaml"
    path.write_text(GOOD.replace("hub: main", "hub: Main"))
    done = doctor(path)
    assert done.exit_code == 2
    assert "hub" in done.output


def test_objects_in_a_file_are_compared_and_drift_is_named(file: Path, tmp_path: Path) -> None:
    objects = host_objects(read_registry(TENANTS, SOURCE))
    queue = next(each for each in objects if each["kind"] == "ClusterQueue" and each["metadata"]["name"] == "nlp")
    queue["spec"]["cohortName"] = "other"
    missing = next(each for each in objects if each["kind"] == "NetworkPolicy")
    dump = tmp_path / "objects.yaml"
    dump.write_text(yaml_documents([each for each in [*objects, NODE] if each is not missing]))
    done = doctor(file, "--objects", dump, "--json")
    assert done.exit_code == 1, done.output
    found = {each["check"]: each for each in json.loads(done.output)["findings"]}
    assert found["ClusterQueue nlp"]["seen"] == "differs in spec.cohortName"
    assert found["NetworkPolicy aifactory-default-deny in vc-nlp"]["seen"] == "is not there"
    assert found["nodes have the nvidia.com/mig-1g.10gb (h100-80gb) that are given out"]["verdict"] == "ok"
    assert found["Kubernetes is 1.33 or newer"]["verdict"] == "unknown"
    assert found["the vCluster of nlp answers the hub"]["verdict"] == "unknown"


def test_a_node_whose_label_fits_no_card_is_named_with_what_it_has(file: Path, tmp_path: Path) -> None:
    node = {
        **NODE,
        "metadata": {"name": "n1", "labels": {"nvidia.com/gpu.product": "NVIDIA-H100-80GB-HBM3-MIG-INVALID"}},
    }
    dump = tmp_path / "objects.yaml"
    dump.write_text(yaml_documents([node]))
    found = {each["check"]: each for each in json.loads(doctor(file, "--objects", dump, "--json").output)["findings"]}
    finding = found["nodes have the nvidia.com/mig-1g.10gb (h100-80gb) that are given out"]
    assert finding["verdict"] == "wrong"
    assert finding["seen"].startswith("nodes have 0, tenants.yaml says 7")
    assert finding["seen"].endswith("7 on nodes labelled 'NVIDIA-H100-80GB-HBM3-MIG-INVALID'")
    assert "mig.strategy: mixed" in finding["todo"]


def test_a_number_of_devices_that_can_not_be_read_is_unknown(file: Path, tmp_path: Path) -> None:
    dump = tmp_path / "objects.yaml"
    dump.write_text(yaml_documents([{**NODE, "status": {"allocatable": {"nvidia.com/mig-1g.10gb": "seven"}}}]))
    found = {each["check"]: each for each in json.loads(doctor(file, "--objects", dump, "--json").output)["findings"]}
    assert found["nodes have the nvidia.com/mig-1g.10gb (h100-80gb) that are given out"]["verdict"] == "unknown"


@pytest.mark.parametrize("text", ["just a text", "kind: [", "- 1"])
def test_a_file_that_holds_no_objects_is_trouble(file: Path, tmp_path: Path, text: str) -> None:
    dump = tmp_path / "objects.yaml"
    dump.write_text(text)
    done = doctor(file, "--objects", dump)
    assert done.exit_code == 2
    assert "kubectl get -o yaml" in done.output


def test_no_file_is_trouble(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="can't be read"):
        FileSource.read(tmp_path / "none")


def test_a_kubeconfig_that_is_none_is_trouble(file: Path, tmp_path: Path) -> None:
    done = doctor(file, "--kubeconfig", tmp_path / "none")
    assert done.exit_code == 2
    assert "can't be read" in done.output


def test_a_cluster_that_does_not_answer_is_unknown_not_wrong(file: Path, tmp_path: Path) -> None:
    config = {
        "current-context": "c",
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": {"server": "https://127.0.0.1:9"}}],
        "users": [{"name": "u", "user": {"token": "t"}}],
    }
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(json.dumps(config))
    done = doctor(file, "--kubeconfig", kubeconfig, "--json")
    assert done.exit_code == 1, (done.output, done.exception)
    found = json.loads(done.output)
    assert found["stage"] is None
    assert {each["verdict"] for each in found["findings"] if each["stage"] == 1} == {"unknown", "warning"}


def test_a_probe_needs_a_cluster(file: Path) -> None:
    done = doctor(file, "--probe", "--offline")
    assert done.exit_code == 2
    assert "--probe needs a cluster" in done.output


def test_every_kind_that_is_rendered_has_a_path() -> None:
    rendered = {each["kind"] for each in host_objects(read_registry(GOOD, SOURCE))}
    assert rendered <= set(_PLURALS)
    assert path_of("v1", "Pod", "a", "b") == "/api/v1/namespaces/a/pods/b"
    assert path_of("kueue.x-k8s.io/v1beta2", "ClusterQueue", None, "nlp") == (
        "/apis/kueue.x-k8s.io/v1beta2/clusterqueues/nlp"
    )
