"""The images that tenants.yaml names."""

from __future__ import annotations

from collections.abc import Iterator

from .model import Registry


def named_images(registry: Registry) -> Iterator[tuple[str, str]]:
    """Images of servers, jobs and what else may run, with what names each. Patterns are no images and are left out."""
    yield registry.notebook.image, "notebook.image"
    yield registry.jobs.image, "jobs.image"
    for environment in registry.environments.values():
        for version in environment.versions.values():
            yield version.image, f"environment {environment.name}"
    for image in registry.isolation.images:
        if "*" not in image:
            yield image, "isolation.images"


def patterns(registry: Registry) -> list[str]:
    """Those of `isolation.images` that stand for several images, so that nobody knows which."""
    return [image for image in registry.isolation.images if "*" in image]
