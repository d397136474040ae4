"""The host cluster's API."""

from __future__ import annotations

from pathlib import Path

from .answers import HOST_LIMITS
from .api import KubeApi
from .credentials import Credential, CredentialError, in_cluster, parse_kubeconfig


async def connect_host(kubeconfig: str | None) -> KubeApi:
    """The host's API by a kubeconfig file, or as the pod that we run in when ``kubeconfig`` is None.

    Nothing is sent yet, so a host that does not answer now is no error here. Raises CredentialError.
    """
    if kubeconfig is None:
        return KubeApi(in_cluster(), limits=HOST_LIMITS)
    return KubeApi(_read(Path(kubeconfig)), limits=HOST_LIMITS)


def _read(path: Path) -> Credential:
    try:
        text = path.read_text()
    except OSError as error:
        raise CredentialError(f"the host's kubeconfig can't be read: {error}") from error
    return parse_kubeconfig(text, folder=path.parent)
