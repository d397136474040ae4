"""Which image a job runs in: the notebook's own, by digest, so that what ran in the notebook runs in the job."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from .pods import PodFact

# As kubelet tells it of an image that came from a registry. One that was put onto the node has no more than its own id.
_BY_DIGEST = re.compile(r"(?:[a-z-]+://)?(?P<repository>[^@\s]+)@(?P<digest>sha256:[0-9a-f]{64})")
_HUB = "docker.io/"


@dataclass(frozen=True, slots=True)
class JobImage:
    """``name`` is what the pod is made from. ``why`` says why it is not the notebook's own; None where it is."""

    name: str
    why: str | None = None


def repository(image: str) -> str:
    """An image without its tag and digest, in full: the names of Docker's registry have a short form."""
    name = image.partition("@")[0]
    head, slash, last = name.rpartition("/")
    name = f"{head}{slash}{last.partition(':')[0]}"
    first, slash, _ = name.partition("/")
    if slash and ("." in first or ":" in first or first == "localhost"):
        return name
    return f"{_HUB}{name}" if slash else f"{_HUB}library/{name}"


def own_image(pod: PodFact | None, *, of_notebooks: Sequence[str], of_jobs: str) -> JobImage:
    """The image of this notebook's pod (None: there is none) if its digest is known, else the site's ``of_jobs``.

    Only what tenants.yaml names for servers counts: what else a pod may run in was not chosen to run jobs.
    """
    if pod is None or pod.over or pod.deleting:
        return JobImage(of_jobs, "no notebook of yours of that name is running in this team")
    told = _BY_DIGEST.fullmatch(pod.image_id or "")
    if told is None:
        return JobImage(of_jobs, "the node does not tell the digest of the notebook's image")
    if repository(told["repository"]) not in map(repository, of_notebooks):
        return JobImage(
            of_jobs, f"the notebook runs in {told['repository']}, which is not the site's image of notebooks"
        )
    return JobImage(f"{told['repository']}@{told['digest']}")
