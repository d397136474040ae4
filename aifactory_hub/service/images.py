"""Looks up what a job is to run in."""

from __future__ import annotations

from collections.abc import Callable

from .. import constants
from ..clusters.host_watch import HostWatch
from ..domain.images import JobImage, own_image
from ..domain.names import server_id, server_pod, slug
from ..registry.model import Registry


class Images:
    """What the host's watch tells of notebooks' images: nobody needs a right for it, and nobody can name another image.

    Without a ``watch`` there are no images: what runs is what is there.
    """

    def __init__(self, get_registry: Callable[[], Registry], watch: HostWatch | None = None) -> None:
        self._get_registry = get_registry
        self._watch = watch

    def of(self, tenant: str, user: str, server: str | None) -> JobImage:
        """The image of a job that this user submits from their notebook ``server``; None: from elsewhere."""
        registry = self._get_registry()
        of_jobs = registry.jobs.image
        if server is None:
            return JobImage(of_jobs, "it is not submitted from a notebook, or asks for the site's")
        if self._watch is None:
            return JobImage(of_jobs, "notebooks here are no containers")
        if tenant not in registry.tenants:
            return JobImage(of_jobs, "its team was just removed")
        pod = self._watch.pod(
            registry.tenants[tenant].vcluster, constants.NOTEBOOKS_NAMESPACE, server_pod(user, server)
        )
        if pod is None and self._watch.stale:
            return JobImage(of_jobs, "the cluster does not tell now what the notebook runs in")
        marks = {
            constants.LABEL_HUB: registry.hub,
            constants.LABEL_OWNER_KIND: constants.KIND_SERVER,
            constants.LABEL_OWNER: server_id(user, server),
            constants.LABEL_USER: slug(user),
        }
        # Whoever can set these on a pod gains nothing: it counts only if it runs the site's image of notebooks.
        ours = pod is not None and marks.items() <= pod.labels.items()
        return own_image(pod if ours else None, of_notebooks=registry.server_images, of_jobs=of_jobs)
