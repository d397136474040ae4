"""Recording rules and alerts, evaluated by Prometheus' own promtool on series of recorded shapes."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from aifactory_hub.domain.gpu_metrics import TABLE, Signal
from aifactory_hub.service.api.usage_metrics import _state

from ..support.programs_here import needs
from .values import ROOT, documents

(RULES,) = documents(ROOT / "charts/aifactory-hub/files/monitoring/rules.yaml")
GPU = 'UUID="GPU-1",instance="n1:9400",job="dcgm-exporter"'
SLICE = f'{GPU},GPU_I_ID="7",namespace="vc-nlp",pod="nb-ada"'
POD = 'namespace="vc-nlp",pod="nb-ada",UUID="GPU-1",GPU_I_ID="7"'

pytestmark = needs("promtool", "prometheus")


def promtool(folder: Path, series: dict[str, str], **tests: Any) -> subprocess.CompletedProcess[str]:
    (folder / "rules.json").write_text(json.dumps(RULES["spec"]))
    given = [{"series": name, "values": values} for name, values in series.items()]
    document = {
        "rule_files": ["rules.json"],
        "evaluation_interval": "30s",
        "tests": [{"interval": "30s", "input_series": given, **tests}],
    }
    file = folder / "tests.json"
    file.write_text(json.dumps(document))
    program = shutil.which("promtool")
    assert program is not None
    return subprocess.run([program, "test", "rules", str(file)], capture_output=True, text=True, check=False)


def fires(folder: Path, alert: str, series: dict[str, str], at: str = "2h") -> bool:
    """Whether the alert fires at a time: promtool is told that it does not, and contradicts where it does."""
    test = {"alertname": alert, "eval_time": at, "exp_alerts": []}
    done = promtool(folder, series, alert_rule_test=[test])
    told = done.stdout + done.stderr
    assert done.returncode == 0 or f"alertname:{alert}" in told.replace(" ", ""), told
    return done.returncode != 0


@pytest.mark.parametrize(
    ("name", "values", "record", "expected"),
    [
        ("DCGM_FI_PROF_GR_ENGINE_ACTIVE", "0.25x240", "aifactory:slice_active:ratio", 0.25),
        ("DCGM_FI_PROF_GR_ENGINE_ACTIVE_RATIO", "0.25x240", "aifactory:slice_active:ratio", 0.25),
        ("DCGM_FI_DEV_FB_USED", "12x240", "aifactory:slice_memory_used:bytes", 12 * 2**20),
        ("DCGM_FI_DEV_FB_USED_BYTES", "12x240", "aifactory:slice_memory_used:bytes", 12),
    ],
)
def test_both_generations_are_recorded_in_one_unit(
    tmp_path: Path, name: str, values: str, record: str, expected: float
) -> None:
    samples = [{"labels": f"{record}{{{POD}}}", "value": expected}]
    test = {"expr": record, "eval_time": "1h", "exp_samples": samples}
    done = promtool(tmp_path, {f"{name}{{{SLICE}}}": values}, promql_expr_test=[test])
    assert done.returncode == 0, done.stdout + done.stderr
    # A slice without samples has no result.
    none = {"expr": record, "eval_time": "1h", "exp_samples": []}
    assert promtool(tmp_path, {}, promql_expr_test=[none]).returncode == 0


NAMESPACE = 'kube_namespace_labels{namespace="vc-nlp",label_aifactory_hub_io_tenant="nlp"}'
OTHER = NAMESPACE.replace("nlp", "vision")
ACTIVE = "DCGM_FI_PROF_GR_ENGINE_ACTIVE"
QUEUE = 'flavor="h100",resource="nvidia.com/mig-1g.10gb"'


@pytest.mark.parametrize(
    ("record", "series", "expected"),
    [
        (
            "aifactory:tenant_slice_active:avg",
            {f"{ACTIVE}{{{SLICE}}}": "0.2x240", f"{ACTIVE}{{{SLICE.replace('7', '8')}}}": "0.6x240"},
            [('{tenant="nlp"}', 0.4)],
        ),
        (
            "aifactory:tenant_slices:count",
            {f"{ACTIVE}{{{SLICE}}}": "0x240", f"{ACTIVE}{{{SLICE.replace('nlp', 'vision')}}}": "1x240"},
            [('{tenant="nlp"}', 1), ('{tenant="vision"}', 1)],
        ),
        (
            "aifactory:tenant_slice_memory_used:bytes",
            {f"DCGM_FI_DEV_FB_USED{{{SLICE}}}": "3x240", f'DCGM_FI_DEV_FB_USED{{{GPU},pod="x"}}': "9x240"},
            [('{tenant="nlp"}', 3 * 2**20)],
        ),
        (
            "aifactory:tenant_quota:devices",
            {
                f'kueue_cluster_queue_nominal_quota{{cluster_queue="nlp",{QUEUE}}}': "4x240",
                f'kueue_cluster_queue_nominal_quota{{cluster_queue="nlp.jobs",{QUEUE}}}': "0x240",
                f'kueue_cluster_queue_nominal_quota{{cluster_queue="nlp-2",{QUEUE}}}': "1x240",
            },
            [(f'{{tenant="nlp",{QUEUE}}}', 4), (f'{{tenant="nlp-2",{QUEUE}}}', 1)],
        ),
        (
            "aifactory:tenant_quota_used:devices",
            {
                f'kueue_cluster_queue_resource_usage{{cluster_queue="nlp",{QUEUE}}}': "1x240",
                f'kueue_cluster_queue_resource_usage{{cluster_queue="nlp.jobs",{QUEUE}}}': "2x240",
            },
            [(f'{{tenant="nlp",{QUEUE}}}', 3)],
        ),
        (
            "aifactory:tenant_pending:tickets",
            {
                'kueue_pending_workloads{cluster_queue="nlp.jobs",status="active"}': "2x240",
                'kueue_pending_workloads{cluster_queue="nlp.jobs",status="inadmissible"}': "5x240",
            },
            [('{tenant="nlp",cluster_queue="nlp.jobs"}', 2)],
        ),
        (
            "aifactory:tenant_admission_wait:p90_seconds",
            {
                'kueue_admission_wait_time_seconds_bucket{cluster_queue="nlp",le="10"}': "0+1x240",
                'kueue_admission_wait_time_seconds_bucket{cluster_queue="nlp",le="+Inf"}': "0+1x240",
            },
            [('{tenant="nlp"}', 9)],
        ),
    ],
)
def test_what_teams_see_says_the_team_and_nobody_s_name(
    tmp_path: Path, record: str, series: dict[str, str], expected: list[tuple[str, float]]
) -> None:
    samples = [{"labels": f"{record}{labels}", "value": value} for labels, value in expected]
    test = {"expr": record, "eval_time": "1h", "exp_samples": samples}
    done = promtool(tmp_path, {**series, NAMESPACE: "1x240", OTHER: "1x240"}, promql_expr_test=[test])
    assert done.returncode == 0, done.stdout + done.stderr
    none = {"expr": record, "eval_time": "1h", "exp_samples": []}
    assert promtool(tmp_path, {NAMESPACE: "1x240"}, promql_expr_test=[none]).returncode == 0, "no sample is not 0"


@pytest.mark.parametrize(
    ("alert", "series", "fired"),
    [
        ("AIFactoryGpuXid", {f"DCGM_FI_DEV_XID_ERRORS{{{GPU}}}": "79x240"}, True),
        ("AIFactoryGpuXid", {f"DCGM_FI_DEV_XID_ERRORS{{{GPU}}}": "95x240"}, True),
        # An application's own mistake.
        ("AIFactoryGpuXid", {f"DCGM_FI_DEV_XID_ERRORS{{{GPU}}}": "31x240"}, False),
        ("AIFactoryGpuXid", {f"DCGM_FI_DEV_XID_ERRORS{{{GPU}}}": "0x240"}, False),
        ("AIFactoryDcgmAway", {f"up{{{GPU}}}": "0x240"}, True),
        ("AIFactoryDcgmAway", {f"up{{{GPU}}}": "1x235 0x5"}, False),
        ("AIFactoryLedgerBehind", {"aifactory_usage_lag_seconds": "90x240"}, True),
        ("AIFactoryLedgerBehind", {"aifactory_usage_lag_seconds": "5x240"}, False),
        ("AIFactoryUncertainUsage", {"aifactory_usage_uncertain_seconds_total": "0x200 40x40"}, True),
        ("AIFactoryUncertainUsage", {"aifactory_usage_uncertain_seconds_total": "40x240"}, False),
        (
            "AIFactoryQueueStuck",
            {
                'kueue_pending_workloads{cluster_queue="nlp",status="active"}': "2x240",
                'kueue_admitted_workloads_total{cluster_queue="nlp"}': "7x240",
            },
            True,
        ),
        (
            "AIFactoryQueueStuck",
            {
                'kueue_pending_workloads{cluster_queue="nlp",status="active"}': "2x240",
                'kueue_admitted_workloads_total{cluster_queue="nlp"}': "0+1x240",
            },
            False,
        ),
    ],
)
def test_an_alert_fires_when_it_should_and_not_before(
    tmp_path: Path, alert: str, series: dict[str, str], *, fired: bool
) -> None:
    assert fires(tmp_path, alert, series) is fired


def test_every_alert_was_seen_to_fire() -> None:
    alerts = {rule["alert"] for group in RULES["spec"]["groups"] for rule in group["rules"] if "alert" in rule}
    (mark,) = [m for m in test_an_alert_fires_when_it_should_and_not_before.pytestmark if m.name == "parametrize"]  # type: ignore[attr-defined]
    assert {alert for alert, _, fired in mark.args[1] if fired} == alerts


def test_every_name_of_ours_is_one_that_is_exported() -> None:
    context: Any = SimpleNamespace(ledger=SimpleNamespace(head=lambda: 1))
    exported = {sample.name for family in _state(context, 1, 1.0) for sample in family.samples}
    recorded = {rule["record"] for group in RULES["spec"]["groups"] for rule in group["rules"] if "record" in rule}
    named = {
        name
        for group in RULES["spec"]["groups"]
        for rule in group["rules"]
        for name in re.findall(r"\baifactory[_:][a-z_:]+", rule["expr"])
    }
    assert named and named <= exported | recorded
    known = {each.name for signal in Signal for each in TABLE[signal]}
    dcgm = {
        name
        for group in RULES["spec"]["groups"]
        for rule in group["rules"]
        for name in re.findall(r"\bDCGM_[A-Z_]+", rule["expr"])
    }
    assert dcgm and dcgm <= known
