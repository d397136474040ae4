"""Models: register what a job gave back, let aliases lead to versions, and load files that were checked before."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from .api import default_session
from .errors import ClientError
from .printable import line
from .save_paths import place_below
from .session import Session

if TYPE_CHECKING:
    from ..signing.keys import KeyFacts
    from ..signing.manifest import FileSet

_CACHE = ".cache/aifactory/models"
_PAGE = 200


class NotVerified(ClientError):
    """The files of a model are not those that were signed, or nobody known has signed them."""


class ModelVersion:
    """A version of a model, as the service described it."""

    def __init__(self, session: Session, data: Mapping[str, Any]) -> None:
        self._session = session
        self._data = dict(data)

    @property
    def model(self) -> str:
        return str(self._data["model"])

    @property
    def tenant(self) -> str:
        return str(self._data["tenant"])

    @property
    def number(self) -> int:
        return int(self._data["version"])

    @property
    def state(self) -> str:
        """REGISTERED or QUARANTINED."""
        return str(self._data["state"])

    @property
    def digest(self) -> str:
        """The manifest digest: it covers names, sizes and contents of its files."""
        return str(self._data["digest"])

    @property
    def aliases(self) -> list[str]:
        """The aliases that led to it when it was asked for."""
        return list(self._data["aliases"])

    @property
    def data(self) -> dict[str, Any]:
        """All that the service said."""
        return dict(self._data)

    def promote(self, alias: str, reason: str = "") -> dict[str, Any]:
        """Let an alias lead to it: see ``promote``."""
        return promote(f"{self.model}@{self.number}", alias, reason, tenant=self.tenant, session=self._session)

    def verify(self) -> dict[str, Any]:
        """Have the service look at it anew: ``ok``, and what is wrong in ``troubles``."""
        path = version_path(self.model, str(self.number), "verify", self.tenant)
        return self._session.change(path)

    def __repr__(self) -> str:
        return line(f"<ModelVersion {self.model}@{self.number} {self.state} {' '.join(self.aliases)}".rstrip()) + ">"


def models(tenant: str | None = None, *, session: Session | None = None) -> list[dict[str, Any]]:
    """The models of the notebook's team, with their aliases and newest versions."""
    return list((session or default_session()).get("/models", _asked(tenant))["models"])


def model_versions(
    name: str, tenant: str | None = None, *, limit: int = _PAGE, session: Session | None = None
) -> list[ModelVersion]:
    """The newest versions of a model first."""
    session = session or default_session()
    found = session.get(f"/models/{_part(name)}", {**_asked(tenant), "limit": min(limit, _PAGE)})
    return [ModelVersion(session, each) for each in found["versions"]]


def register(
    job: str, name: str, files: str | os.PathLike[str] = "", note: str = "", *, session: Session | None = None
) -> ModelVersion:
    """Register files that a job gave back as a version of the model ``name``; the same twice is the same version.

    ``files`` is a folder or a file among them, by default all. Raises Refused, with the field.
    """
    session = session or default_session()
    body = {"job": job, "files": os.fspath(files), "note": note}
    return ModelVersion(session, session.change(f"/models/{_part(name)}/versions", body))


def promote(
    version: str, alias: str, reason: str = "", *, tenant: str | None = None, session: Session | None = None
) -> dict[str, Any]:
    """Let an alias lead to a version, such as ``promote("fraud@3", "prod")``, once the service has looked at all of it.

    ``held`` of the answer says that people have to approve it first: then ask again. Raises Refused.
    """
    session = session or default_session()
    name, at = reference(version)
    number = _numbered(session, name, at, tenant)
    body = {"version": str(number), "reason": reason}
    return session.change(f"/models/{_part(name)}/aliases/{_part(alias)}/promote{_query(tenant)}", body)


def rollback(
    place: str, reason: str, version: int | None = None, *, tenant: str | None = None, session: Session | None = None
) -> dict[str, Any]:
    """Let an alias lead to a version again that it has led to, by default the one before: ``rollback("fraud@prod",
    "it is worse")``. The alias is frozen until somebody thaws it. Raises Refused."""
    session = session or default_session()
    name, alias = reference(place)
    if version is None:
        # By its number: asked a second time after an answer that was lost, it must not go back two steps.
        path = f"/models/{_part(name)}/aliases/{_part(alias)}"
        version = session.get(path, _asked(tenant))["alias"]["back"]
        if version is None:
            raise ClientError(f"{line(place)} has led to no version before the present one.")
    body = {"reason": reason, "version": str(version)}
    return session.change(f"/models/{_part(name)}/aliases/{_part(alias)}/rollback{_query(tenant)}", body)


def freeze(
    place: str, reason: str = "", *, thaw: bool = False, tenant: str | None = None, session: Session | None = None
) -> dict[str, Any]:
    """Let nobody promote an alias until it is thawed; with ``thaw``, let it be promoted again."""
    session = session or default_session()
    name, alias = reference(place)
    verb = "thaw" if thaw else "freeze"
    path = f"/models/{_part(name)}/aliases/{_part(alias)}/{verb}{_query(tenant)}"
    return session.change(path, {"reason": reason})


def load_model(
    version: str,
    folder: str | os.PathLike[str] | None = None,
    *,
    keys: Sequence[str | os.PathLike[str]] = (),
    tenant: str | None = None,
    session: Session | None = None,
) -> Path:
    """The files of a version in a folder, such as ``load_model("fraud@prod")``; of one file, the file.

    The signature and every byte are checked before there is a path. ``keys`` are files with public keys to believe;
    by default those that the service names. ``folder`` must be empty or have just these files; by default it is one in
    the home folder that is used again. Raises NotVerified, and Refused for a version that is quarantined.

    Nothing is read of the files: reading some formats runs code that is in them, which ``runs_code`` of the version
    names.

    In a job it is what the job was submitted with, ``submit(..., data=["model:fraud@prod"])``: its runner has fetched
    and checked it before the command began.
    """
    name, at = reference(version)
    if session is None and (given := os.environ.get("AIFACTORY_MODELS")):
        return _given(Path(given), name, at)
    session = session or default_session()
    detail = session.get(f"/models/{_part(name)}/versions/{_part(at)}", _asked(tenant))
    told = detail["version"]
    if told["state"] != "REGISTERED":
        raise NotVerified(line(f"Version {told['version']} of {name} is {told['state']}: {told['why']}."))
    files = signed_files(detail, _believed(session, keys), f"{told['tenant']}/{name}")
    place = Path(folder) if folder is not None else Path.home() / _CACHE / told["tenant"] / name / told["digest"][:16]
    if not _has(place, files):
        _fetch(session, f"/models/{_part(name)}/versions/{told['version']}/files", tenant, files, place)
    return place / files[0][0] if len(files) == 1 else place


def _given(folder: Path, name: str, at: str) -> Path:
    """The folder into which the runner has put a model of this job's. Raises ClientError."""
    index = json.loads((folder / "models.json").read_text()) if (folder / "models.json").exists() else {}
    found = index.get(name)
    if found is None or (at.isdecimal() and int(at) != found["version"]):
        there = ", ".join(f"{each}@{told['version']}" for each, told in index.items()) or "none"
        words = f"This job was not given {name}@{at} (given: {there})"
        raise ClientError(line(f'{words}: submit it with data=["model:{name}@{at}"].'))
    return folder / name / found["files"][0] if len(found["files"]) == 1 else folder / name


def signed_files(detail: Mapping[str, Any], keys: Mapping[str, KeyFacts], name: str) -> list[tuple[str, int, str]]:
    """Names, sizes and digests that the signature of a version is over. Raises NotVerified.

    What the answer says besides is not believed: only what is signed counts.
    """
    try:
        from ..signing.dsse import BadEnvelope
        from ..signing.keys import check
        from ..signing.oms import envelope_in, files_of
    except ImportError as error:
        raise NotVerified("Signatures can't be checked here: install the package `cryptography`.") from error
    try:
        envelope = envelope_in(detail["bundle"] or {})
        found = check(envelope, keys)
        statement = envelope.statement()
        files = files_of(statement)
    except BadEnvelope as error:
        raise NotVerified(f"The signature of {line(name)} can't be read: {line(error)}.") from error
    if found.problem is not None:
        raise NotVerified(f"{line(name)} is not believed: {line(found.problem)}.")
    if statement["subject"][0]["name"] != name or files.digest != detail["version"]["digest"]:
        raise NotVerified(f"The signature is not that of this version of {line(name)}.")
    return [(file.name, file.size, file.sha256) for file in files.files]


def reference(text: str) -> tuple[str, str]:
    """The model and the version or alias of a text such as ``fraud@prod`` or ``fraud@3``. Raises ClientError."""
    name, at, version = text.partition("@")
    if not name or not at or not version:
        raise ClientError(f"{text!r} names no version: write <model>@<alias or number>, such as fraud@prod.")
    return name, version


def _numbered(session: Session, name: str, at: str, tenant: str | None) -> int:
    if at.isdecimal():
        return int(at)
    return int(session.get(f"/models/{_part(name)}/versions/{_part(at)}", _asked(tenant))["version"]["version"])


def _believed(session: Session, files: Sequence[str | os.PathLike[str]]) -> Mapping[str, KeyFacts]:
    from ..signing.keys import BadKey, KeyFacts, trusted

    try:
        if files:
            return trusted(Path(file).read_text() for file in files)
        told = session.get("/model-keys")["keys"]
        known = trusted(key["public"] for key in told)
    except BadKey as error:
        raise NotVerified(f"A key can't be read: {error}.") from error
    revoked = {key["id"]: key["why"] for key in told if key["revoked"] is not None}
    return {
        id: KeyFacts(id, key.public, revoked=0.0, why=revoked[id]) if id in revoked else key
        for id, key in known.items()
    }


def _has(place: Path, files: Iterable[tuple[str, int, str]]) -> bool:
    """Whether the folder has exactly these files. Raises NotVerified where it has others."""
    if not place.exists() or not any(place.iterdir()):
        return False
    there = {path.relative_to(place).as_posix() for path in place.rglob("*") if path.is_symlink() or not path.is_dir()}
    wanted = {name: digest for name, _, digest in files}
    wrong = sorted(there ^ set(wanted))
    if not wrong:
        wrong = [name for name in there if (place / name).is_symlink() or _digest(place / name) != wanted[name]]
    if wrong:
        words = f"{line(str(place))} has not the files of this version ({line(', '.join(wrong[:3]))})"
        raise NotVerified(f"{words}: remove the folder, or name another one.")
    return True


def _fetch(session: Session, path: str, tenant: str | None, files: Sequence[tuple[str, int, str]], place: Path) -> None:
    """All files, or none: the folder appears whole."""
    place.parent.mkdir(parents=True, exist_ok=True)
    aside = Path(tempfile.mkdtemp(dir=place.parent, prefix=f".{place.name}."))
    try:
        for name, size, digest in files:
            target = place_below(aside, name, hidden=True)
            target.parent.mkdir(parents=True, exist_ok=True)
            with session.download(f"{path}/{quote(name, safe='')}{_query(tenant)}") as chunks:
                _write(target, chunks, name, size, digest)
        aside.chmod(0o755)
        if place.exists():
            place.rmdir()  # it is empty
        aside.replace(place)
    except BaseException:
        shutil.rmtree(aside, ignore_errors=True)
        raise


def _write(target: Path, chunks: Iterator[bytes], name: str, size: int, digest: str) -> None:
    found, count = hashlib.sha256(), 0
    with target.open("xb") as file:
        for chunk in chunks:
            count += len(chunk)
            if count > size >= 0:
                break
            found.update(chunk)
            file.write(chunk)
    if count != size or found.hexdigest() != digest:
        raise NotVerified(f"The file {line(name)} is not the one that was signed. Nothing of the model was kept.")


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def lineage_export(version: str, form: str, *, tenant: str | None = None, session: Session | None = None) -> Any:
    """The lineage of a version such as ``fraud@prod``.

    With ``form`` openlineage it is a list of events, with cyclonedx a bill of materials.
    """
    name, at = reference(version)
    session = session or default_session()
    return json.loads(session.text(version_path(name, at, "lineage", None), {**_asked(tenant), "format": form}))


def version_path(name: str, at: str, what: str, tenant: str | None) -> str:
    """The path of ``what`` the service does or tells of a version; ``at`` is its number or an alias."""
    return f"/models/{_part(name)}/versions/{_part(at)}/{what}{_query(tenant)}"


def _asked(tenant: str | None) -> dict[str, Any]:
    return {} if tenant is None else {"tenant": tenant}


def _query(tenant: str | None) -> str:
    return "" if tenant is None else f"?tenant={quote(tenant, safe='')}"


def _part(text: str) -> str:
    return quote(text, safe="")


def as_json(value: Any) -> str:
    """For people who pipe it on."""
    return json.dumps(value, indent=2)


def name_data(
    dataset: str,
    digest: str | None = None,
    *,
    folder: str | os.PathLike[str] | None = None,
    kind: str = "content",
    uri: str = "",
    data_class: str = "internal",
    tenant: str | None = None,
    session: Session | None = None,
) -> str:
    """Name a version of a dataset, and the dataset if there is none; how ``submit(data=[...])`` calls it: "claims@3".

    With ``folder`` the digest is taken from its files here: names, sizes and contents. Raises Refused, ValueError.
    """
    session = session or default_session()
    body: dict[str, Any] = {"kind": kind, "digest": digest}
    if folder is not None:
        if digest is not None or kind != "content":
            raise ValueError("folder is hashed here, as kind 'content': leave digest and kind out")
        found = _file_set(Path(folder))
        body = {"kind": kind, "digest": found.digest, "count": len(found.files), "size": found.size}
    wanted = {"name": dataset, "uri": uri, "data_class": data_class, "tenant": tenant}
    session.change("/datasets", wanted)
    made = session.change(f"/datasets/{_part(dataset)}/versions{_query(tenant)}", body)
    return f"{dataset}@{made['version']}"


def _file_set(folder: Path) -> FileSet:
    from ..signing.manifest import FileEntry, FileSet

    files = [path for path in folder.rglob("*") if path.is_file()]
    if not files:
        raise ValueError(f"{folder} has no files")
    entries = [FileEntry(path.relative_to(folder).as_posix(), path.stat().st_size, _digest(path)) for path in files]
    return FileSet.of(entries)
