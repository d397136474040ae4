"""Models and deployments, end to end: ``python -m tests.e2e.models`` inside the cluster's network namespace.

A real identity provider, hub, service, S3 server, Kueue and vCluster with the host's admission and network policies.
What the models compute is real, their GPUs are simulated. The last line is ``models: N of N``.
"""

from __future__ import annotations

import sys

from ..story import Story
from .site import models_site
from .story import STORY
from .troubles import TROUBLES

MODELS = Story(
    "models",
    "The GPUs of this cluster are SIMULATED: what these models compute runs on the CPU.",
    (*STORY, *TROUBLES),
    models_site,
)


if __name__ == "__main__":
    sys.exit(MODELS.run())
