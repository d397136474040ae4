"""The sections of ``tenants.yaml`` about samples of GPUs and idle servers: as in ``schema``, which has the others."""

from __future__ import annotations

from typing import Literal

from .scalars import MetricName, Seconds, Several, Text, Url
from .section import Section, key


class TelemetrySection(Section):
    prometheus: Url | None = key(
        "Prometheus that the job service asks for samples of GPUs; left out, nobody knows which server is idle.",
        "http://prometheus.monitoring.svc:9090",
        default=None,
    )
    scrape: Seconds = key("How often the GPUs are looked at, as Prometheus is set up.", "30s", default=30)
    gpu_job: Text = key(
        "Job of Prometheus that looks at the DCGM exporter; other jobs' samples of GPUs count for nothing.",
        "dcgm-exporter",
        default="dcgm-exporter",
    )
    node_job: Text = key(
        "Job of Prometheus that looks at kubelets, for CPU and memory of pods.", "kubelet", default="kubelet"
    )
    names: dict[Literal["engine", "dram", "gpu_memory", "xid", "cpu", "memory"], MetricName] = key(
        "Names of metrics that are neither exporter's own, by what they measure, in its unit.",
        "{gpu_memory: site_gpu_memory_used_bytes}",
        default={},
    )


class IdleSection(Section):
    action: Literal["off", "dry-run", "notify", "stop"] = key(
        "What becomes of a server that holds a GPU and is idle: nothing but a word of what it would have saved "
        "(dry-run), a notice, or its stop after one.",
        "stop",
        default="dry-run",
    )
    after: Seconds = key("How long it has to have been idle.", "45m", default=45 * 60)
    notice: Seconds = key("How long before its stop its owner is told.", "10m", default=10 * 60)
    keep: Seconds = key("How long its owner may keep it each time.", "2h", default=2 * 3600)
    keeps: Several = key("How many times in a row they may.", "3", default=3)
    notify: list[Url] = key(
        "Webhooks that are told of notices and stops.", "[https://hooks.example.org/idle]", default=[]
    )
