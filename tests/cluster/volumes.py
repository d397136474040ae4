"""The cluster's volume provisioner: a folder and a hostPath volume for each pending claim.

Run as a plain script in the cluster's namespaces: PKI_FOLDER VOLUMES_FOLDER. A claim of StorageClass
`local` gets a volume bound to it; once the claim is deleted the volume and its folder go. Until then
nothing is removed (the reclaim policy is Retain)."""

import http.client
import json
import shutil
import ssl
import sys
import time
from pathlib import Path
from typing import Any

STORAGE_CLASS = "local"
MARK = "aifactory-hub.invalid/volumes"
PAUSE = 0.3


class Api:
    """The few requests that are needed, on one kept connection."""

    def __init__(self, pki: Path) -> None:
        self._tls = ssl.create_default_context(cafile=str(pki / "ca.crt"))
        self._tls.load_cert_chain(pki / "admin.crt", pki / "admin.key")
        self._connection: http.client.HTTPSConnection | None = None

    def request(self, method: str, path: str, body: object = None) -> dict[str, Any]:
        if self._connection is None:
            self._connection = http.client.HTTPSConnection("127.0.0.1", 6443, timeout=10, context=self._tls)
        data = None if body is None else json.dumps(body)
        try:
            self._connection.request(method, path, data, {"Content-Type": "application/json"})
            answer = self._connection.getresponse()
            text = answer.read()
        except (OSError, http.client.HTTPException):
            self._connection.close()
            self._connection = None
            raise
        if answer.status >= 400 and answer.status not in (404, 409):
            raise OSError(f"{method} {path}: {answer.status} {text[:300]!r}")
        found: dict[str, Any] = json.loads(text)
        return found


def volume_name(claim: dict[str, Any]) -> str:
    return f"local-{claim['metadata']['uid']}"


def volume_for(claim: dict[str, Any], folder: Path) -> dict[str, Any]:
    metadata, spec = claim["metadata"], claim["spec"]
    reference = {"apiVersion": "v1", "kind": "PersistentVolumeClaim"}
    reference |= {key: metadata[key] for key in ("namespace", "name", "uid")}
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": volume_name(claim), "labels": {MARK: "true"}},
        "spec": {
            "accessModes": spec["accessModes"],
            "capacity": {"storage": spec["resources"]["requests"]["storage"]},
            "claimRef": reference,
            "hostPath": {"path": str(folder), "type": "Directory"},
            "persistentVolumeReclaimPolicy": "Retain",
            "storageClassName": STORAGE_CLASS,
        },
    }


def wants_volume(claim: dict[str, Any]) -> bool:
    spec = claim["spec"]
    ours = spec.get("storageClassName") == STORAGE_CLASS and not spec.get("volumeName")
    return ours and claim["status"].get("phase") == "Pending" and "deletionTimestamp" not in claim["metadata"]


def abandoned(volume: dict[str, Any], claims: set[str]) -> bool:
    return volume["spec"]["claimRef"]["uid"] not in claims


def reconcile(api: Api, folder: Path) -> None:
    # Volumes are read before claims: one whose claim is missing in the later list has lost it for good.
    volumes = api.request("GET", f"/api/v1/persistentvolumes?labelSelector={MARK}")["items"]
    claims = api.request("GET", "/api/v1/persistentvolumeclaims")["items"]
    names = {volume["metadata"]["name"] for volume in volumes}
    for claim in claims:
        if wants_volume(claim) and volume_name(claim) not in names:
            provide(api, claim, folder)
    uids = {claim["metadata"]["uid"] for claim in claims}
    for volume in volumes:
        if abandoned(volume, uids):
            api.request("DELETE", f"/api/v1/persistentvolumes/{volume['metadata']['name']}")
            shutil.rmtree(volume["spec"]["hostPath"]["path"], ignore_errors=True)
            print(f"removed {volume['metadata']['name']}", flush=True)


def provide(api: Api, claim: dict[str, Any], folder: Path) -> None:
    metadata = claim["metadata"]
    path = folder / f"{metadata['namespace']}-{metadata['name']}-{metadata['uid'][:8]}"
    path.mkdir(parents=True, exist_ok=True)
    path.chmod(0o777)  # pods run as any user, and fsGroup doesn't apply to hostPath
    api.request("POST", "/api/v1/persistentvolumes", volume_for(claim, path))
    print(f"made {path.name}", flush=True)


def main() -> None:
    api, folder = Api(Path(sys.argv[1])), Path(sys.argv[2])
    while True:
        try:
            reconcile(api, folder)
        except (OSError, http.client.HTTPException, ValueError, KeyError) as error:
            print(f"will retry: {error!r}", flush=True)
            time.sleep(1)
        time.sleep(PAUSE)


if __name__ == "__main__":
    main()
