"""vCluster's chart as objects: Helm renders and does nothing else, so no release is ever stuck."""

from __future__ import annotations

import asyncio
import hashlib
import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from ..domain.tenants import Tenant
from ..registry.manifests import Manifest
from ..registry.output import yaml_documents

# Seconds; it takes half a second on an idle machine.
_TIMEOUT = 60.0
# Roles are an administrator's: the chart's own are left out, and what it needs is bound by name. They are not switched
# off by a value: the control plane's pod has a digest of all values, and would start anew when Helm's is taken over.
_ROLES = ("Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding")


class ChartError(Exception):
    """The chart can't be rendered. The message never holds values."""


@dataclass(frozen=True, slots=True)
class Chart:
    """Where Helm and the chart are. ``values`` are the site's files, which come before what the registry says."""

    helm: str
    path: Path
    values: tuple[Path, ...] = ()
    kube_version: str = ""
    _rendered: dict[str, list[Manifest]] = field(default_factory=dict)

    async def objects(self, tenant: Tenant, values: Manifest) -> list[Manifest]:
        """The chart's objects for the tenant; rendered once for the same values. Raises ChartError."""
        key = self._key(tenant, values)
        if key not in self._rendered:
            self._rendered[key] = await self._render(tenant, values)
        return self._rendered[key]

    def _key(self, tenant: Tenant, values: Manifest) -> str:
        try:
            site = [path.read_text(encoding="utf-8") for path in self.values]
        except (OSError, UnicodeDecodeError) as error:
            raise ChartError(f"the values of the vCluster chart can't be read: {error}") from error
        said = json.dumps([tenant.vcluster.namespace, tenant.vcluster.name, values, site], sort_keys=True)
        return hashlib.sha256(said.encode()).hexdigest()

    async def _render(self, tenant: Tenant, values: Manifest) -> list[Manifest]:
        with tempfile.TemporaryDirectory(prefix="aifactory-chart-") as folder:
            file = Path(folder) / "values.yaml"
            file.write_text(yaml_documents([values]), encoding="utf-8")
            text = await self._helm(self._arguments(tenant, file))
        return [each for each in _objects(text) if self._kept(each, tenant)]

    def _arguments(self, tenant: Tenant, file: Path) -> list[str]:
        version = ["--kube-version", self.kube_version] if self.kube_version else []
        files = [option for each in (*self.values, file) for option in ("--values", str(each))]
        place = ["--namespace", tenant.vcluster.namespace]
        return ["template", tenant.vcluster.name, str(self.path), *place, *version, *files]

    async def _helm(self, arguments: Sequence[str]) -> str:
        pipe = asyncio.subprocess.PIPE
        try:
            process = await asyncio.create_subprocess_exec(self.helm, *arguments, stdout=pipe, stderr=pipe)
        except OSError as error:
            raise ChartError(f"helm can't be run as {self.helm!r}: {error.strerror}; name it with --helm") from error
        try:
            out, err = await asyncio.wait_for(process.communicate(), _TIMEOUT)
        except BaseException as error:
            if process.returncode is None:
                process.kill()
                await process.wait()
            if isinstance(error, TimeoutError):
                raise ChartError(f"helm did not end within {_TIMEOUT:.0f} s") from error
            raise
        if process.returncode:
            said = err.decode("utf-8", "replace").strip().splitlines()
            raise ChartError(f"the vCluster chart can't be rendered: {(said or ['helm said nothing'])[-1][:500]}")
        return out.decode("utf-8", "replace")

    def _kept(self, manifest: Manifest, tenant: Tenant) -> bool:
        """Raises ChartError for what belongs somewhere else: a chart that was changed must not reach further."""
        if manifest["kind"] in _ROLES:
            return False
        metadata = manifest["metadata"]
        if metadata.setdefault("namespace", tenant.vcluster.namespace) != tenant.vcluster.namespace:
            raise ChartError(f"the chart's {manifest['kind']} {metadata['name']} is in another namespace")
        return True


def _objects(text: str) -> list[Manifest]:
    yaml = YAML(typ="safe", pure=True)
    yaml.allow_duplicate_keys = True  # the chart names a pod's priority class twice
    try:
        return [dict(each) for each in yaml.load_all(text) if each]
    except (YAMLError, ValueError, TypeError) as error:
        raise ChartError("helm printed something that is not a list of objects") from error
