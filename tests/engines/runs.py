"""One run as every engine is asked to render it."""

from __future__ import annotations

from dataclasses import replace

from aifactory_hub import constants
from aifactory_hub.engines.base import RunSpec
from aifactory_profiles import Resources

GIB = 2**30
HUB = "main"
SPEC = RunSpec(
    tenant="nlp",
    run_id="j0123456789ab",
    image="job:1",
    argv=("python3", "-m", "aifactory_hub.runner"),
    environment={"AIFACTORY_JOB_ID": "j0123456789ab"},
    secret_files={"token": "very-secret"},
    requests=Resources(500, 2 * GIB, {"nvidia.com/mig-1g.10gb": 1}),
    limits=Resources(1000, 2 * GIB, {"nvidia.com/mig-1g.10gb": 1}),
    node_selector={"nvidia.com/gpu.product": "NVIDIA-H100-80GB-HBM3"},
    labels={constants.LABEL_USER: "ada"},
    deadline_seconds=3600,
    tolerations=("nvidia.com/gpu",),
)
WIDE = replace(SPEC, nodes=4)
TEMPLATED = replace(SPEC, nodes=2, template="train", parameters={"epochs": "3", "data": "s3://b/x"})
