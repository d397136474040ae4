"""The test cluster's own decisions; neither root nor a cluster is needed."""

from __future__ import annotations

import io
import json
import os
import subprocess
import tarfile
from pathlib import Path

import pytest

from aifactory_hub.registry import load_registry
from aifactory_hub.registry.output import yaml_documents
from aifactory_hub.registry.render import host_objects
from aifactory_hub.registry.render_vcluster import vcluster_values

from ..cluster import cli, dex, images, kueue, leaks, processes, programs, rootfs, toolchain, volumes
from ..cluster.layers import Layer
from ..cluster.namespaces import Namespaces
from ..cluster.settings import HERE, REPOSITORY, SIMULATED_SLICES, TENANTS, Layout
from ..conftest import Golden

TENANTS_FILE = REPOSITORY / "tests" / "e2e" / "tenants.yaml"


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("go version go1.26.8 linux/amd64", (1, 26, 8)),
        ("go version go1.26 linux/amd64", (1, 26, 0)),
        ("go version go1.19.8 linux/amd64", (1, 19, 8)),
        ("go version go1.26rc1 linux/amd64", (0, 0, 0)),
        ("no such thing", (0, 0, 0)),
    ],
)
def test_a_go_version_is_read_and_a_candidate_is_not_a_release(text: str, version: tuple[int, int, int]) -> None:
    assert toolchain.parse_version(text) == version


def test_start_time_is_read_past_a_process_name_with_spaces_and_parentheses() -> None:
    fields = ["S", *(str(n) for n in range(4, 50))]
    assert processes.parse_start(f"77 (a (b) c) {' '.join(fields)}") == ("S", 22)


def test_a_reused_pid_is_not_the_saved_process(tmp_path: Path) -> None:
    me = processes.identify(os.getpid())
    assert me is not None
    me.save(tmp_path / "me.json")
    assert processes.load(tmp_path / "me.json") == me
    processes.Identity(me.pid, me.start - 1, me.boot).save(tmp_path / "me.json")
    assert processes.load(tmp_path / "me.json") is None


@pytest.mark.parametrize("text", ["", "{", "[]", '{"pid": 1}'])
def test_a_damaged_pid_file_counts_as_no_process(tmp_path: Path, text: str) -> None:
    (tmp_path / "x.json").write_text(text)
    assert processes.load(tmp_path / "x.json") is None


def test_a_zombie_counts_as_gone() -> None:
    child = subprocess.Popen(["true"])
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert processes.identify(child.pid) is None
    child.wait()


def test_each_module_is_keyed_by_its_sources_and_flags(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "go.mod").write_text("module m\n")
    monkeypatch.setattr(programs, "PROGRAMS", tmp_path)
    keys = [programs.build_key(programs.Module("m", "-s"))]
    keys.append(programs.build_key(programs.Module("m", "-s -w")))
    (tmp_path / "m" / "go.sum").write_text("x")
    keys.append(programs.build_key(programs.Module("m", "-s -w")))
    (tmp_path / "m" / "notes.txt").write_text("does not count")
    assert len(set(keys)) == 3
    assert programs.build_key(programs.Module("m", "-s -w")) == keys[-1]


def test_packet_rules_are_compared_without_counters_and_comments() -> None:
    text = "# made on Sunday\n:INPUT ACCEPT [12:345]\n-A INPUT -j DROP\n\n"
    assert leaks.plain_rules(text) == [":INPUT ACCEPT", "-A INPUT -j DROP"]


def test_only_what_is_new_is_left_behind() -> None:
    before = {"mount": ["/ ext4", "/proc proc"], "interface": ["lo", "gone"]}
    after = {"mount": ["/ ext4", "/proc proc", "/proc proc"], "interface": ["lo", "cni0"]}
    assert leaks.compare(before, after) == ["mount /proc proc", "interface cni0"]


def test_an_image_archive_leaves_out_layers_that_the_store_has(tmp_path: Path) -> None:
    layers = []
    for name in ("base", "top"):
        (tmp_path / name).write_bytes(name.encode())
        layers.append(Layer(tmp_path / name, name * 8, len(name)))
    image = images.Image("x/y:1", tuple(layers), ("/run",))
    out = io.BytesIO()
    images.write_archive(out, [image, image], {"base" * 8})
    with tarfile.open(fileobj=io.BytesIO(out.getvalue())) as tar:
        names = tar.getnames()
    assert f"blobs/sha256/{'top' * 8}" in names
    assert f"blobs/sha256/{'base' * 8}" not in names
    assert f"blobs/sha256/{image.digest}" in names
    assert json.loads(image.config())["config"] == {"Entrypoint": ["/run"], "Env": list(image.environment)}


def _claim(**changes: object) -> dict[str, object]:
    spec = {
        "storageClassName": "local",
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": "1Gi"}},
    }
    metadata = {"namespace": "vc-nlp", "name": "home", "uid": "1234567890"}
    return {"metadata": metadata, "spec": spec, "status": {"phase": "Pending"}} | changes


def test_only_a_pending_claim_of_our_class_gets_a_volume() -> None:
    assert volumes.wants_volume(_claim())
    assert not volumes.wants_volume(_claim(status={"phase": "Bound"}))
    assert not volumes.wants_volume(_claim(spec={"storageClassName": "other"}))
    assert not volumes.wants_volume(_claim(spec={"storageClassName": "local", "volumeName": "v"}))
    assert not volumes.wants_volume(_claim(metadata={"uid": "1", "deletionTimestamp": "now"}))


def test_a_volume_lives_as_long_as_its_claim() -> None:
    volume = volumes.volume_for(_claim(), Path("/v/x"))
    assert volume["spec"]["persistentVolumeReclaimPolicy"] == "Retain"
    assert not volumes.abandoned(volume, {"1234567890"})
    assert volumes.abandoned(volume, {"another claim of the same name"})


def test_the_pinned_packages_cover_what_a_wheel_needs_without_extras(tmp_path: Path) -> None:
    metadata = tmp_path / "METADATA"
    metadata.write_text("Requires-Dist: Ruamel_Yaml>=0.18\nRequires-Dist: httpx\nRequires-Dist: x; extra == 'hub'\n")
    assert rootfs.unmet([metadata], "ruamel.yaml==0.18.1\n") == ["httpx"]


def test_every_pinned_package_has_an_exact_version() -> None:
    lines = [line for line in rootfs.REQUIREMENTS.read_text().splitlines() if not line.startswith("#")]
    assert [line for line in lines if line.count("==") != 1] == []


REGISTRY = load_registry(TENANTS_FILE)


def test_the_cluster_runs_what_is_rendered_for_the_hub_under_test(golden: Golden) -> None:
    """Kueue's own objects come when Kueue runs, see queues.yaml."""
    objects = [each for each in host_objects(REGISTRY) if not each["apiVersion"].startswith("kueue.x-k8s.io/")]
    golden.check("../cluster/values/rendered/host.yaml", yaml_documents(objects))
    assert set(REGISTRY.tenants) == set(TENANTS)


@pytest.mark.parametrize("tenant", TENANTS)
def test_a_vcluster_runs_with_what_is_rendered_for_it(tenant: str, golden: Golden) -> None:
    values = vcluster_values(REGISTRY.tenants[tenant], REGISTRY.addresses)
    golden.check(f"../cluster/values/rendered/vcluster-{tenant}.yaml", yaml_documents([values]))
    assert f"name: {tenant}" in kueue.QUEUES.read_text()


def test_two_state_folders_have_control_groups_of_their_own(tmp_path: Path) -> None:
    assert Layout(tmp_path / "a", tmp_path).cgroup != Layout(tmp_path / "b", tmp_path).cgroup


def test_the_simulated_slices_hold_the_tenants_quota() -> None:
    quota = dict.fromkeys(SIMULATED_SLICES, 0)
    for line in kueue.QUEUES.read_text().splitlines():
        for name in quota:
            if f"name: {name}, nominalQuota" in line:
                quota[name] += int(line.partition("nominalQuota: ")[2].partition(",")[0].rstrip("}"))
    assert all(0 < quota[name] <= int(SIMULATED_SLICES[name]) for name in quota)


def test_a_hub_on_the_bridge_and_on_loopback_may_be_redirected_to() -> None:
    wanted = {"http://10.88.0.1:8000/hub/oauth_callback", "http://127.0.0.1:8000/hub/oauth_callback"}
    assert wanted <= set(dex.redirects())


def test_exec_hands_its_words_on_untouched(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    seen: list[list[str]] = []
    monkeypatch.setattr(Namespaces, "replace", lambda self, words, kubeconfig: seen.append(words))
    monkeypatch.setenv("AIFACTORY_TEST_CLUSTER_STATE", str(tmp_path))
    assert cli.main(["exec", "--", "ls", "-l", "--", "x"]) == 0
    assert seen == [["ls", "-l", "--", "x"]]


def test_no_program_names_a_registry_host() -> None:
    hosts = ("proxy.golang" + ".org", "deb.debian" + ".org", "pypi" + ".org", "ghcr" + ".io", "registry.npmjs" + ".org")
    for path in HERE.rglob("*"):
        if path.suffix in {".py", ".yaml", ".md", ".mod", ".txt", ".go"}:
            assert not [host for host in hosts if host in path.read_text()], path


def test_the_hub_s_image_has_the_versions_of_the_tests_own_environment() -> None:
    pinned = [line for line in rootfs.HUB_REQUIREMENTS.read_text().splitlines() if not line.startswith("#")]
    own = (REPOSITORY / "requirements/constraints.txt").read_text().splitlines()
    assert pinned and set(pinned) <= set(own)
