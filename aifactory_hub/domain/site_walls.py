"""Whether the walls between teams stand: what the host's admission said to a pod that is right and to ones that are
not, where its API servers are, and what NVIDIA's runtime hands out unasked. Facts in, findings' parts out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

# Of the GPU Operator's DaemonSets, by their label `app`.
TOOLKIT = "nvidia-container-toolkit-daemonset"
DEVICE_PLUGIN = "nvidia-device-plugin-daemonset"
UNPRIVILEGED = "ACCEPT_NVIDIA_VISIBLE_DEVICES_ENVVAR_WHEN_UNPRIVILEGED"
AS_MOUNTS = "ACCEPT_NVIDIA_VISIBLE_DEVICES_AS_VOLUME_MOUNTS"
STRATEGY = "DEVICE_LIST_STRATEGY"


@dataclass(frozen=True, slots=True)
class AdmissionTry:
    """One object that was offered to the host's admission in the name of a team's syncer, and stored nowhere.

    ``policy`` is the name of the admission policy that has to refuse it; empty for one that has to pass. ``words`` is
    the refusal, empty when it would have been made. ``untried`` says why nobody could ask; empty when somebody did.
    """

    tenant: str
    what: str
    policy: str = ""
    words: str = ""
    untried: str = ""

    @property
    def check(self) -> str:
        return f"admission {'refuses' if self.policy else 'lets through'} {self.what} of {self.tenant}"

    @property
    def good(self) -> bool:
        """Whether the answer is the one that it has to be. A quota that is used up is judged after the policies."""
        if self.policy:
            return f"'{self.policy}'" in self.words
        return not self.words or "exceeded quota" in self.words

    @property
    def seen(self) -> str:
        if not self.policy:
            return self.words or "it does"
        if not self.words:
            return "it was let through"
        return "it does" if self.good else f"refused, but not by policy {self.policy}: {self.words}"


def admission_try(tenant: str, what: str, policy: str, refusal: tuple[int, str] | None) -> AdmissionTry:
    """The try as the API's answer makes it: ``refusal`` is status and message, None when it would have been made."""
    if refusal is None:
        return AdmissionTry(tenant, what, policy)
    status, message = refusal
    if "cannot impersonate" in message:
        return AdmissionTry(tenant, what, policy, untried="this credential may not impersonate the team's syncer")
    if "cannot create resource" in message:
        return AdmissionTry(tenant, what, policy, untried="the team's syncer has no rights: is its vCluster installed?")
    if status == 404 or ("namespaces" in message and "not found" in message):
        return AdmissionTry(tenant, what, policy, untried="the team's namespace is not there")
    return AdmissionTry(tenant, what, policy, words=message or f"HTTP {status}")


@dataclass(frozen=True, slots=True)
class GpuRuntime:
    """The environment of the GPU Operator's toolkit and device plugin on nodes, one mapping for each DaemonSet."""

    toolkits: Sequence[Mapping[str, str]]
    plugins: Sequence[Mapping[str, str]]

    def problems(self) -> list[str]:
        """What lets a container have devices that it did not ask for, or keeps it from those that it did."""
        found = []
        for each in self.toolkits:
            if each.get(UNPRIVILEGED, "true").lower() != "false":
                found.append(f"{UNPRIVILEGED} is not false: an image or a variable gives itself every GPU")
            elif any(plugin.get(STRATEGY, "envvar") == "envvar" for plugin in self.plugins):
                found.append(
                    f"{STRATEGY} of the device plugin is envvar, which the toolkit does not accept: no GPU for anybody"
                )
            elif each.get(AS_MOUNTS, "false").lower() != "true" and self._by_mounts():
                found.append(f"{AS_MOUNTS} is not true, and the device plugin hands out devices as mounts")
        return list(dict.fromkeys(found))

    def _by_mounts(self) -> bool:
        return any(plugin.get(STRATEGY) == "volume-mounts" for plugin in self.plugins)


def gpu_runtime(daemonsets: Iterable[Mapping[str, Any]]) -> GpuRuntime:
    """What the GPU Operator's DaemonSets say, among others."""
    toolkits: list[Mapping[str, str]] = []
    plugins: list[Mapping[str, str]] = []
    for each in daemonsets:
        app = (each["metadata"].get("labels") or {}).get("app")
        if app in (TOOLKIT, DEVICE_PLUGIN):
            (toolkits if app == TOOLKIT else plugins).append(_environment(each))
    return GpuRuntime(toolkits, plugins)


def _environment(daemonset: Mapping[str, Any]) -> dict[str, str]:
    containers = daemonset["spec"]["template"]["spec"].get("containers") or ()
    return {
        each["name"]: str(each.get("value", ""))
        for container in containers
        for each in container.get("env") or ()
    }  # fmt: skip
