"""When the certificates and credentials of a site end, so that somebody hears of it before they have ended."""

from __future__ import annotations

import asyncio
import base64
import ssl
from urllib.parse import urlsplit

import jwt
from cryptography import x509

from .. import constants
from ..clusters import ApiError, ApiUnreachable, KubeApi
from ..clusters.credentials import Credential, CredentialError, parse_kubeconfig
from ..domain.doctor import Finding, Stage, Verdict
from ..domain.formatting import duration
from ..domain.tenants import Tenant
from ..registry import Registry

_SECONDS = 5.0
# A renewal that runs by itself comes weeks before the end: this late, it has failed.
_SOON = 14 * 86_400
_HTTPS = 443
_SECRETS = {constants.NOTEBOOKS_SECRET: "the hub", constants.JOBS_SECRET: "the job service"}


async def expiry_findings(registry: Registry, api: KubeApi, now: float) -> list[Finding]:
    """Findings of the certificates at the addresses in tenants.yaml, and of hub's and service's credentials for teams.

    ``now`` is in epoch seconds. An address or Secret that can't be read from here is left out: other checks say so.
    """
    certificates = (_of_address(host, port, now) for host, port in sorted(_addresses(registry)))
    credentials = (
        _of_credential(api, tenant, secret, now) for tenant in registry.tenants.values() for secret in _SECRETS
    )
    found = await asyncio.gather(*certificates, *credentials)
    return [each for each in found if each is not None]


def _addresses(registry: Registry) -> set[tuple[str, int]]:
    addresses = registry.addresses
    named = (registry.identity.issuer, addresses.public, addresses.hub_api, addresses.service)
    urls = [urlsplit(each) for each in named if each]
    return {(url.hostname, url.port or _HTTPS) for url in urls if url.scheme == "https" and url.hostname}


async def _of_address(host: str, port: int, now: float) -> Finding | None:
    ends = await certificate_end(host, port)
    check = f"the certificate of {host}" + (f":{port}" if port != _HTTPS else "")
    todo = f"renew it: browsers and notebooks refuse {host} from then on"
    return None if ends is None else expiry_finding(check, Stage.PLATFORM, ends, now, todo)


async def certificate_end(host: str, port: int) -> float | None:
    """When the certificate that is shown there ends, in epoch seconds; None where none is shown in five seconds."""
    context = ssl.create_default_context()
    # Only its date is read, and one that has ended is to be read too.
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        async with asyncio.timeout(_SECONDS):
            _, writer = await asyncio.open_connection(host, port, ssl=context, server_hostname=host)
    except (OSError, TimeoutError, ValueError):
        return None
    shown = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    writer.transport.abort()
    return None if shown is None else _not_after(x509.load_der_x509_certificate(shown))


async def _of_credential(api: KubeApi, tenant: Tenant, secret: str, now: float) -> Finding | None:
    path = f"/api/v1/namespaces/{tenant.vcluster.namespace}/secrets/{secret}"
    try:
        found = await api.get(path, timeout=_SECONDS)
        config = base64.b64decode(found["data"]["config"]).decode()
        ends = credential_end(await asyncio.to_thread(parse_kubeconfig, config))
    except (ApiError, ApiUnreachable, CredentialError, LookupError, TypeError, ValueError):
        return None
    check = f"the credential that {_SECRETS[secret]} has for team {tenant.name}"
    if ends is None:
        return Finding(Stage.TENANCY, check, Verdict.GOOD, "it has no end")
    vcluster = tenant.vcluster
    todo = f"kubectl -n {vcluster.namespace} rollout restart statefulset/{vcluster.name}: what runs in it goes on"
    return expiry_finding(check, Stage.TENANCY, ends, now, todo)


def credential_end(credential: Credential) -> float | None:
    """When the API server refuses it, in epoch seconds: its token's end, or its certificate's; None where it has none.

    Raises ValueError for a certificate that can't be read.
    """
    if credential.token is not None:
        return _token_end(credential.token)
    if credential.certificate is not None:
        return _not_after(x509.load_pem_x509_certificate(credential.certificate.encode()))
    return None


def _token_end(token: str) -> float | None:
    """Read the end of a JSON Web Token without verifying it, which only the server can. None for another token."""
    try:
        ends = jwt.decode(token, options={"verify_signature": False}).get("exp")
    except (jwt.InvalidTokenError, RecursionError):
        return None
    return float(ends) if isinstance(ends, int | float) else None


def _not_after(certificate: x509.Certificate) -> float:
    return certificate.not_valid_after_utc.timestamp()


def expiry_finding(check: str, stage: Stage, ends: float, now: float, todo: str) -> Finding:
    """A finding of something that ends at ``ends``: bad once it has, a warning in the two weeks before."""
    left = int(ends - now)
    if left <= 0:
        return Finding(stage, check, Verdict.BAD, f"it ended {duration(-left)} ago", todo)
    verdict = Verdict.WARNING if left < _SOON else Verdict.GOOD
    return Finding(stage, check, verdict, f"it ends in {duration(left)}", "" if left >= _SOON else todo)
