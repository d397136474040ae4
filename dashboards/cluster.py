"""The dashboard of the host: nodes, GPUs and their slices, Kueue."""

from __future__ import annotations

from grafana_foundation_sdk.builders.dashboard import Dashboard, Row

from .panels import BYTES, RATIO, SECONDS, THIRD, board, lines, number, rows

_GPU = '{job="dcgm-exporter"}'


def cluster() -> Dashboard:
    """What nodes have to give, what of it can't be given, and how Kueue does."""
    made = board("aifactory-cluster", "AIFactory / Cluster", "Nodes, GPUs and slices of the host, and Kueue.")
    for part in (_now, _devices, _gpus, _kueue):
        made = part(made)
    return made


def _now(made: Dashboard) -> Dashboard:
    ready = 'kube_node_status_condition{condition="Ready",status="true"}'
    return (
        made.with_row(Row("Now"))
        .with_panel(number("Nodes ready", "Nodes that are ready to run pods.", f"sum({ready})"))
        .with_panel(
            number("Nodes not ready", "Nodes that are not ready, or that say nothing.", f"sum({ready} == bool 0)")
        )
        .with_panel(
            number(
                "Nodes cordoned",
                "Nodes that take no new pods: their devices are free and can't be given.",
                "sum(kube_node_spec_unschedulable)",
            )
        )
        .with_panel(
            number(
                "Exporters away",
                "Nodes whose GPUs are not measured: servers there are unknown, not idle.",
                f"sum(up{_GPU} == bool 0)",
            )
        )
    )


def _devices(made: Dashboard) -> Dashboard:
    devices = '{resource=~"nvidia_com_.*"}'
    there = f"sum by (resource) (kube_node_status_allocatable{devices})"
    asked = f"sum by (resource) (kube_pod_container_resource_requests{devices})"
    free = (
        f"sum by (node, resource) (kube_node_status_allocatable{devices})"
        f" - (sum by (node, resource) (kube_pod_container_resource_requests{devices})"
        f" or 0 * sum by (node, resource) (kube_node_status_allocatable{devices}))"
    )
    return (
        made.with_row(Row("Slices"))
        .with_panel(
            lines(
                "Devices there and asked for",
                "Devices that nodes offer, and devices that pods on the cluster ask for.",
                [(there, "there: {{resource}}"), (asked, "asked for: {{resource}}")],
            )
        )
        .with_panel(
            lines(
                "Largest number free on one node",
                "How many of a device one node has free. A job that wants more of them on one node waits.",
                [(f"max by (resource) ({free})", "{{resource}}")],
            )
        )
        .with_panel(
            lines(
                "Fragmentation",
                "The part of the free devices that is not on the node with the most of them.",
                [
                    (
                        f"1 - max by (resource) ({free}) / (sum by (resource) ({free}) > 0)",
                        "{{resource}}",
                    )
                ],
                RATIO,
            )
        )
        .with_panel(rows("Free by node", "Devices of each node that no pod asks for.", f"{free} > 0"))
    )


def _gpus(made: Dashboard) -> Dashboard:
    xid = " or ".join(
        f"max by (UUID, instance) ({name}{_GPU})" for name in ("DCGM_FI_DEV_XID_ERRORS", "DCGM_FI_DEV_XID_LAST")
    )
    return (
        made.with_row(Row("GPUs"))
        .with_panel(
            lines(
                "Activity of slices",
                "The part of time in which slices compute: the least, the average and the most busy one.",
                [
                    ("min(aifactory:slice_active:ratio)", "least"),
                    ("avg(aifactory:slice_active:ratio)", "average"),
                    ("max(aifactory:slice_active:ratio)", "most"),
                ],
                RATIO,
                width=THIRD,
            )
        )
        .with_panel(
            lines(
                "GPU memory in use",
                "Memory in use on all slices.",
                [("sum(aifactory:slice_memory_used:bytes)", "memory")],
                BYTES,
                width=THIRD,
            )
        )
        .with_panel(
            rows(
                "Last Xid errors",
                "The last error that the driver told of each GPU; 0 is none. NVIDIA's catalogue explains the numbers.",
                f"({xid}) > 0",
                width=THIRD,
            )
        )
    )


def _kueue(made: Dashboard) -> Dashboard:
    wait = "sum by (le) (rate(kueue_admission_wait_time_seconds_bucket[30m]))"
    return (
        made.with_row(Row("Kueue"))
        .with_panel(
            lines(
                "Pending by queue",
                "Tickets that wait: those that are tried in turn, and those that can't be admitted as things are.",
                [("sum by (cluster_queue, status) (kueue_pending_workloads) > 0", "{{cluster_queue}} {{status}}")],
            )
        )
        .with_panel(
            lines(
                "Wait for admission",
                "Half of all tickets are admitted sooner, and nine of ten.",
                [(f"histogram_quantile(0.5, {wait})", "half"), (f"histogram_quantile(0.9, {wait})", "nine of ten")],
                SECONDS,
            )
        )
        .with_panel(
            lines(
                "Admitted",
                "Tickets that were admitted in the hour before, by queue.",
                [("sum by (cluster_queue) (increase(kueue_admitted_workloads_total[1h]))", "{{cluster_queue}}")],
            )
        )
        .with_panel(
            lines(
                "Evicted",
                "Tickets that lost their devices in the hour before, by queue and reason.",
                [
                    (
                        "sum by (cluster_queue, reason) (increase(kueue_evicted_workloads_total[1h]))",
                        "{{cluster_queue}} {{reason}}",
                    )
                ],
            )
        )
    )
