"""The names of all metrics that a site's Prometheus has."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from aifactory_hub.domain.gpu_metrics import TABLE, Signal

ROOT = Path(__file__).resolve().parents[2]
RULES = ROOT / "charts/aifactory-hub/files/monitoring/rules.yaml"

# Of Prometheus itself, kube-state-metrics, and Kueue with `metrics.enableClusterQueueResources`.
OTHERS = {
    "up",
    "kube_namespace_labels",
    "kube_node_spec_unschedulable",
    "kube_node_status_allocatable",
    "kube_node_status_condition",
    "kube_pod_container_resource_requests",
    "kueue_admission_wait_time_seconds_bucket",
    "kueue_admitted_workloads_total",
    "kueue_cluster_queue_nominal_quota",
    "kueue_cluster_queue_resource_usage",
    "kueue_evicted_workloads_total",
    "kueue_pending_workloads",
}
DCGM = {each.name for signal in Signal for each in TABLE[signal]}


def rules() -> list[dict[str, Any]]:
    """All recording rules and alerts of ours."""
    (document,) = [each for each in YAML(typ="safe", pure=True).load_all(RULES.read_text(encoding="utf-8")) if each]
    return [rule for group in document["spec"]["groups"] for rule in group["rules"]]


RECORDED = {rule["record"] for rule in rules() if "record" in rule}
