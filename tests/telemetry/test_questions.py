"""What is asked of Prometheus, evaluated by Prometheus' own promtool on recorded shapes of both exporters' series."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from aifactory_hub.registry.model import TelemetryConfig
from aifactory_hub.telemetry.prometheus import questions

from ..support.programs_here import needs

AFTER = 1800
POD = 'exported_namespace="vc-nlp",exported_pod="nb-ada",UUID="GPU-1",GPU_I_ID="7",GPU_I_PROFILE="1g.10gb"'
GPU = 'job="dcgm-exporter",instance="n1:9400"'
# Three hours of a sample each half minute; asked at their end.
STEPS, AT = 360, "180m"


def asked(field: str, generation: int = 0) -> str:
    """The question for a field; of the exporter before 4.9.0, or from it on."""
    return questions(TelemetryConfig(prometheus="http://p"), AFTER)[field][1][generation][1]


def evaluate(folder: Path, series: dict[str, str], expression: str) -> subprocess.CompletedProcess[str]:
    """Let promtool say that the expression has the value 0 that is told, or what it has instead."""
    return run(folder, series, [{"expr": expression, "eval_time": AT, "exp_samples": []}])


def run(folder: Path, series: dict[str, str], tests: list[dict[str, Any]]) -> subprocess.CompletedProcess[str]:
    given = [{"series": name, "values": values} for name, values in series.items()]
    document = {"tests": [{"interval": "30s", "input_series": given, "promql_expr_test": tests}]}
    file = folder / "questions.json"  # JSON is YAML
    file.write_text(json.dumps(document))
    promtool = shutil.which("promtool")
    assert promtool is not None
    return subprocess.run([promtool, "test", "rules", str(file)], capture_output=True, text=True, check=False)


def check(folder: Path, series: dict[str, str], expression: str, *samples: tuple[str, float]) -> None:
    """The expression has just these samples: labels and value."""
    expected = [{"labels": f"{{{labels}}}", "value": value} for labels, value in samples]
    done = run(folder, series, [{"expr": expression, "eval_time": AT, "exp_samples": expected}])
    assert done.returncode == 0, done.stdout + done.stderr


pytestmark = needs("promtool", "prometheus")


def of(name: str, values: str, labels: str = f"{GPU},{POD}") -> dict[str, str]:
    return {f"{name}{{{labels}}}": values}


@pytest.mark.parametrize("generation", [0, 1])
def test_samples_are_counted_and_the_highest_is_taken(tmp_path: Path, generation: int) -> None:
    name = ("DCGM_FI_PROF_GR_ENGINE_ACTIVE", "DCGM_FI_PROF_GR_ENGINE_ACTIVE_RATIO")[generation]
    quiet = of(name, f"0x{STEPS}")
    check(tmp_path, quiet, asked("count", generation), (f"{GPU},{POD}", 63))
    worked = of(name, f"0x{STEPS - 40} 0.5 0x{39}")
    check(tmp_path, worked, asked("engine", generation), (f"{GPU},{POD}", 0.5))
    # What worked before the time looked at does not count.
    long_ago = of(name, f"0x{STEPS - 80} 0.5 0x{79}")
    check(tmp_path, long_ago, asked("engine", generation), (f"{GPU},{POD}", 0))


def test_series_of_other_jobs_count_for_nothing(tmp_path: Path) -> None:
    forged = of("DCGM_FI_PROF_GR_ENGINE_ACTIVE", f"0x{STEPS}", f'job="a-tenants",instance="n1:9400",{POD}')
    for field in ("count", "engine", "cut_known"):
        check(tmp_path, forged, asked(field))


def test_an_xid_error_and_an_exporter_that_was_away_are_found(tmp_path: Path) -> None:
    xid = of("DCGM_FI_DEV_XID_ERRORS", f"0x{STEPS - 70} 31x69", f'{GPU},UUID="GPU-1"')
    check(tmp_path, xid, asked("xid"), ('UUID="GPU-1"', 31))
    away = of("up", f"1x{STEPS - 30} 0 1x29", GPU)
    check(tmp_path, away, asked("up"), (GPU, 0))


def test_a_gpu_that_was_cut_anew_is_told_and_one_that_was_not_is_silent(tmp_path: Path) -> None:
    engine = "DCGM_FI_PROF_GR_ENGINE_ACTIVE"
    same = of(engine, f"0x{STEPS}")
    check(tmp_path, same, asked("cut_known"), ('UUID="GPU-1"', 1))
    check(tmp_path, same, asked("cut_changed"))
    # The pod on a slice changes, the slices do not.
    moved = {
        **of(engine, f"0x{STEPS - 20} stale", f"{GPU},{POD}"),
        **of(engine, f"_x{STEPS - 20} 0x20", f"{GPU},{POD.replace('nb-ada', 'nb-bob')}"),
    }
    check(tmp_path, moved, asked("cut_changed"))
    cut = {
        **of(engine, f"0x{STEPS - 20} stale", f"{GPU},{POD}"),
        **of(engine, f"_x{STEPS - 20} 0x20", f"{GPU},{POD.replace('1g.10gb', '2g.20gb')}"),
    }
    check(tmp_path, cut, asked("cut_changed"), ('UUID="GPU-1"', 2))
    back = {**same, **of(engine, f"_x{STEPS - 40} 0x10 stale", f"{GPU},{POD.replace('1g.10gb', '2g.20gb')}")}
    check(tmp_path, back, asked("cut_changed"), ('UUID="GPU-1"', 1))


def test_memory_that_changes_is_told_and_memory_that_is_held_is_not(tmp_path: Path) -> None:
    held = of("DCGM_FI_DEV_FB_USED", f"8000x{STEPS}")
    check(tmp_path, held, asked("memory_changes"))
    check(tmp_path, held, asked("memory"), (f"{GPU},{POD}", 8000))
    grew = of("DCGM_FI_DEV_FB_USED", f"8000x{STEPS - 20} 9000x19")
    check(tmp_path, grew, asked("memory_changes"), (f"{GPU},{POD}", 1))


def test_a_short_run_on_the_cpu_is_seen_in_the_mean_of_five_minutes(tmp_path: Path) -> None:
    labels = 'job="kubelet",namespace="vc-nlp",pod="nb-ada",container="notebook"'
    # 30 seconds of one core, twenty minutes ago; a pod's own sum, without a container, counts nothing twice.
    used = {
        **of("container_cpu_usage_seconds_total", f"0x{STEPS - 40} 30x40", labels),
        **of("container_cpu_usage_seconds_total", f"0+30x{STEPS}", labels.replace("notebook", "")),
    }
    done = run(tmp_path, used, [{"expr": f"({asked('cpu')}) > 0.05", "eval_time": AT, "exp_samples": []}])
    assert done.returncode != 0 and 'namespace="vc-nlp"' in done.stdout + done.stderr
    check(tmp_path, used, f"({asked('cpu')}) > 0.2")


def test_promtool_says_when_a_value_is_another_one(tmp_path: Path) -> None:
    """Else all tests before would prove nothing."""
    assert evaluate(tmp_path, of("up", f"1x{STEPS}", GPU), asked("up")).returncode != 0
