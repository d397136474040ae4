"""OCI images from layers, streamed into containerd; only what its store lacks is sent."""

from __future__ import annotations

import hashlib
import io
import json
import subprocess
import tarfile
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO

from . import rootfs
from .console import ClusterError, say, step, together
from .layers import Layer, cached_layer, key_of, program_layer
from .programs import MODULES, module_folder, program
from .settings import HELM_VALUES, Layout

# What a name without a registry means; nothing is ever pulled from there.
PREFIX = "docker.io/aifactory-hub"
NOTEBOOK = f"{PREFIX}/notebook:test"
HUB = f"{PREFIX}/hub:test"
PROVISIONER = f"{PREFIX}/provisioner:test"
PAUSE = f"{PREFIX}/pause:1"
_PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_OCI = "application/vnd.oci.image"


@dataclass(frozen=True, slots=True)
class Image:
    name: str
    layers: tuple[Layer, ...]
    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    user: str = ""
    folder: str = ""
    environment: tuple[str, ...] = field(default=(_PATH,))

    def config(self) -> bytes:
        settings = {"Entrypoint": self.entrypoint, "Cmd": self.command, "User": self.user,
                    "WorkingDir": self.folder, "Env": self.environment}  # fmt: skip
        content = {
            "architecture": "amd64",
            "os": "linux",
            "config": {key: value for key, value in settings.items() if value},
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{x.digest}" for x in self.layers]},
        }
        return json.dumps(content, sort_keys=True).encode()

    def manifest(self) -> bytes:
        config = self.config()
        content = {
            "schemaVersion": 2,
            "mediaType": f"{_OCI}.manifest.v1+json",
            "config": _descriptor(f"{_OCI}.config.v1+json", hashlib.sha256(config).hexdigest(), len(config)),
            "layers": [_descriptor(f"{_OCI}.layer.v1.tar", x.digest, x.size) for x in self.layers],
        }
        return json.dumps(content, sort_keys=True).encode()

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.manifest()).hexdigest()

    @property
    def names(self) -> tuple[str, str]:
        """By tag and by digest, as an image has that was pulled: kubelet tells the digest of such a one only."""
        return self.name, f"{self.name.rpartition(':')[0]}@sha256:{self.digest}"


def _descriptor(media: str, digest: str, size: int) -> dict[str, object]:
    return {"mediaType": media, "digest": f"sha256:{digest}", "size": size}


def build_layers(where: Layout) -> None:
    """Fill the cache with the layers that need no built program; can run beside the builds."""
    hub_image(where)


def notebook_image(where: Layout) -> Image:
    base = rootfs.base_layer(where)
    project = rootfs.project_layer(where, base)
    layers = (base, rootfs.site_layer(where, base), *([project] if project else []))
    environment = (_PATH, "HOME=/home/jovyan", "LANG=C.UTF-8")
    command = ("python3", "-m", "jupyterhub.singleuser")
    return Image(NOTEBOOK, layers, (), command, "1000:1000", "/home/jovyan", environment)


def hub_image(where: Layout) -> Image:
    """That of the hub, the job service and the commands. Tests that need it bring it into the cluster."""
    base, notebook = rootfs.base_layer(where), notebook_image(where)
    layers = (*notebook.layers, rootfs.hub_layer(where, base))
    environment = (_PATH, "HOME=/tmp", "LANG=C.UTF-8")
    return Image(HUB, layers, (), ("aifactory-hub", "--help"), "1000:1000", "/tmp", environment)


def provisioner_image(where: Layout) -> Image:
    """The hub's with helm, vCluster's chart and our values for it, as helm-values/images/provisioner has them."""
    hub = hub_image(where)
    helm = program_layer(where, "helm", {"/usr/local/bin/helm": program(where, "helm")})
    chart = module_folder(where, MODULES[0], "github.com/loft-sh/vcluster") / "chart"
    values = (HELM_VALUES / "vcluster.yaml").read_text()

    def make(root: Path) -> None:
        folder = root / "usr/share/aifactory"
        folder.mkdir(parents=True)
        with tarfile.open(folder / "vcluster.tgz", "w:gz") as tar:
            tar.add(chart, arcname="vcluster")
        (folder / "vcluster.yaml").write_text(values)

    layers = (*hub.layers, helm, cached_layer(where, "vcluster-chart", key_of("1", chart, values), make))
    return replace(hub, name=PROVISIONER, layers=layers)


def _programs(where: Layout, name: str, files: dict[str, str], *entrypoint: str, on: tuple[Layer, ...]) -> Image:
    built = {target: program(where, source) for target, source in files.items()}
    layer = program_layer(where, name.partition(":")[0], built)
    return Image(f"{PREFIX}/{name}", (*on, layer), entrypoint)


def argo_images(where: Layout) -> list[Image]:
    """What Argo needs in a tenant's vCluster; see engines.py."""
    on = (rootfs.base_layer(where),)
    return [
        _programs(where, "argo-controller:4.0.5", {"/usr/bin/workflow-controller": "workflow-controller"}, on=on),
        _programs(where, "argoexec:4.0.5", {"/usr/bin/argoexec": "argoexec"}, "argoexec", on=on),
    ]


def jobset_images(where: Layout) -> list[Image]:
    """What JobSet and Trainer need there."""
    on = (rootfs.base_layer(where),)
    return [
        _programs(where, "jobset:0.12.0", {"/manager": "jobset-manager"}, "/manager", on=on),
        _programs(where, "trainer:2.2.1", {"/manager": "trainer-manager"}, "/manager", on=on),
    ]


def all_images(where: Layout) -> list[Image]:
    base = rootfs.base_layer(where)

    def programs(name: str, files: dict[str, str], *entrypoint: str, on: tuple[Layer, ...] = (base,)) -> Image:
        return _programs(where, name, files, *entrypoint, on=on)

    control_plane = {f"/kubernetes/{x}": x for x in ("kube-apiserver", "kube-controller-manager", "kine")}
    return [
        programs("pause:1", {"/pause": "pause"}, "/pause", on=()),
        programs("vcluster-oss:0.33.1", {"/vcluster": "vcluster"}, "/vcluster", "start"),
        programs("vcluster-kubernetes:v1.35.0", control_plane),
        programs("coredns:1.12.4", {"/coredns": "coredns"}, "/coredns"),
        programs("kueue:0.19.2", {"/manager": "manager"}, "/manager"),
        notebook_image(where),
    ]


class Store:
    """Containerd's images, through `ctr` run by `prefix` (which enters the cluster's namespaces)."""

    def __init__(self, where: Layout, prefix: list[str]) -> None:
        self._ctr = [*prefix, "ctr", "-a", str(where.socket), "-n", "k8s.io"]

    def _output(self, *argv: str) -> str:
        done = subprocess.run([*self._ctr, *argv], capture_output=True, text=True)
        if done.returncode:
            raise ClusterError(f"ctr {' '.join(argv[:4])}: {done.stderr.strip()[-1000:]}")
        return done.stdout

    def names(self) -> dict[str, str]:
        """Image name -> manifest digest."""
        rows = [line.split() for line in self._output("images", "ls").splitlines()[1:]]
        return {row[0]: row[2].removeprefix("sha256:") for row in rows}

    def blobs(self) -> set[str]:
        return {line.removeprefix("sha256:") for line in self._output("content", "ls", "-q").split()}

    def remove_containers(self) -> None:
        """What a killed cluster left in the store; nothing of it runs any more."""
        for kind in ("tasks", "containers"):
            left = self._output(kind, "ls", "-q").split()
            if left:
                self._output(kind, "rm", *(["-f"] if kind == "tasks" else []), *left)

    def add(self, images: Iterable[Image]) -> list[str]:
        """Import what is missing; the names of the imported."""
        have = self.names()
        missing = [image for image in images if any(have.get(name) != image.digest for name in image.names)]
        if not missing:
            return []
        names = ", ".join(image.name.rpartition("/")[2] for image in missing)
        with step(f"import {names}"):
            known = self.blobs()
            argv = [*self._ctr, "images", "import", "--all-platforms", "-"]
            process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
            assert process.stdin is not None and process.stderr is not None
            try:
                write_archive(process.stdin, missing, known)
                process.stdin.close()
            except BrokenPipeError:
                pass
            with process.stderr:
                error = process.stderr.read().decode()
            if process.wait():
                raise ClusterError(f"ctr images import: {error[-1000:]}")
        return [image.name for image in missing]


def write_archive(out: IO[bytes], images: list[Image], known: set[str]) -> None:
    """An OCI layout as a tar stream; layers that the store already holds are left out."""
    with tarfile.open(fileobj=out, mode="w|") as tar:

        def add(name: str, data: bytes) -> None:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))

        sent = set(known)
        add("oci-layout", b'{"imageLayoutVersion": "1.0.0"}')
        for image in images:
            for layer in image.layers:
                if layer.digest not in sent:
                    tar.add(layer.path, arcname=f"blobs/sha256/{layer.digest}")
                    sent.add(layer.digest)
            for data in (image.config(), image.manifest()):
                add(f"blobs/sha256/{hashlib.sha256(data).hexdigest()}", data)
        manifests = [
            {**_descriptor(f"{_OCI}.manifest.v1+json", image.digest, len(image.manifest())),
             "annotations": {"io.containerd.image.name": name}}
            for image in images
            for name in image.names
        ]  # fmt: skip
        add("index.json", json.dumps({"schemaVersion": 2, "manifests": manifests}).encode())


def build_images(where: Layout) -> list[Image]:
    """All images, their program layers packed side by side."""
    found: list[Image] = []
    together([lambda: found.extend(all_images(where))])
    say(f"images ready: {sum(x.size for x in {x for i in found for x in i.layers}) >> 20} MiB in all")
    return found


def layer_files(images: Iterable[Image]) -> set[Path]:
    return {layer.path for image in images for layer in image.layers}
