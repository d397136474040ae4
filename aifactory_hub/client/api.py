"""What people call: submit, get, list, and what a job would do."""

from __future__ import annotations

import hashlib
import json
import os
import shlex
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote as url_quote

from .durations import seconds_of
from .errors import ClientError, readable
from .files import OWN_FOLDER
from .job import Job
from .notices import tell
from .packing import FileChanged, Item, Load, Travelling, look, packs
from .session import Session, read_account

# How often a folder is read whose files change while they are sent, and how many that stay are named.
_TRIES = 3
_NAMED = 20
# What the service takes in one question.
_ASKED_AT_ONCE = 10_000

What = str | os.PathLike[str] | Callable[..., Any]


@dataclass(frozen=True, slots=True)
class Call:
    """The arguments of a function's call, by place and by name."""

    args: Sequence[Any] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)


Args = Sequence[Any] | Mapping[str, Any] | Call


@dataclass(frozen=True, slots=True)
class _Work:
    """What is to be run, whatever it was given as: a command, and files of the client's own that it needs."""

    command: str
    name: str | None = None
    extra: Mapping[str, bytes] = field(default_factory=dict)


def submit(
    what: What,
    *,
    args: Args | None = None,
    parameters: Mapping[str, Any] | None = None,
    profile: str | None = None,
    name: str | None = None,
    files: str | os.PathLike[str] | None = ".",
    git: str | None = None,
    outputs: Sequence[str] | None = None,
    env: Mapping[str, str] | None = None,
    tenant: str | None = None,
    priority: str | None = None,
    max_duration: str | float | None = None,
    retries: int = 0,
    retry_backoff: str | float | None = None,
    notify: Sequence[str] = (),
    sweep: str | None = None,
    sweep_parameters: Mapping[str, Any] | None = None,
    idempotency_key: str | None = None,
    engine: str | None = None,
    nodes: int = 1,
    template: str | None = None,
    data: Sequence[str] = (),
    secrets: Sequence[str] = (),
    image: str = "notebook",
    dry_run: bool = False,
    wait: bool = False,
    session: Session | None = None,
) -> Any:
    """Submit a job of the notebook's team; a Job at once, or with ``dry_run`` a DryRun and nothing is submitted.

    ``what`` is a command (run by ``sh -c``), a notebook (a path that ends in .ipynb, with ``parameters``) or a function
    of this notebook (with ``args``, a sequence or a mapping). The folder ``files`` travels with it and is where it
    runs; with ``git`` the files of that commit do instead (of this repository, or ``<address>@<commit>``).

    ``outputs`` are patterns of the files to bring back, by default all that are new or changed. ``profile`` is by
    default the notebook's own. ``env`` is for the command. ``max_duration`` is in seconds or like "90m", ``priority``
    low, normal or high. After a failure it is tried again ``retries`` times: first after ``retry_backoff`` (in seconds
    or like "1m", by default 30 s), then after twice as long each time. ``notify`` are addresses that are told of the
    end. ``sweep`` and ``sweep_parameters`` are what the function ``sweep`` sends with each of its jobs. Two calls with
    one ``idempotency_key`` make one job; by default each call has its own.

    ``engine`` is what runs it, by default the service's first one; ``nodes`` are how many it runs on at once, each
    with the whole profile, where the engine can. ``template`` names what the team has published for the engine; where
    that says all that is to run, see ``run_template``. ``data`` is what it reads: "claims@3" of a dataset, or
    "model:fraud@prod" for ``load_model``. ``secrets`` are names of secrets of yours or of the team, which it gets as
    variables. The job runs in the image of this notebook, by its digest, so that what ran
    here runs there; with ``image="site"``, or where that is not known, in the site's image of jobs.

    Raises SubmitRefused, FilesTooLarge, NotShippable, NotInNotebook, ServiceUnavailable.
    """
    session = session or default_session()
    prepared = prepare(
        session,
        what,
        args=args,
        parameters=parameters,
        profile=profile,
        name=name,
        files=files,
        git=git,
        outputs=outputs,
        env=env,
        tenant=tenant,
        priority=priority,
        max_duration=max_duration,
        retries=retries,
        retry_backoff=retry_backoff,
        notify=notify,
        engine=engine,
        nodes=nodes,
        template=template,
        image=image,
        secrets=secrets,
    )
    request = {**prepared.request, "key": idempotency_key or uuid.uuid4().hex, "sweep": sweep}
    request |= _chosen(sweep_parameters=sweep_parameters, data=list(data) or None)
    if dry_run:
        from .dryrun import DryRun

        return DryRun(session.change("/jobs/dry-run", request))
    request |= prepared.send()
    job = Job(session, session.post("/jobs", request))
    if wait:
        job.wait()
    return job


@dataclass(frozen=True, slots=True)
class Prepared:
    """A job that can be submitted: ``request`` is what to ask for, less the key and the files.

    ``send`` sends what travels with it, and returns what the request says of that.
    """

    request: dict[str, Any]
    send: Callable[[], dict[str, Any]]


def prepare(
    session: Session,
    what: What,
    *,
    args: Args | None = None,
    parameters: Mapping[str, Any] | None = None,
    profile: str | None = None,
    name: str | None = None,
    files: str | os.PathLike[str] | None = ".",
    git: str | None = None,
    outputs: Sequence[str] | None = None,
    env: Mapping[str, str] | None = None,
    tenant: str | None = None,
    priority: str | None = None,
    max_duration: str | float | None = None,
    retries: int = 0,
    retry_backoff: str | float | None = None,
    notify: Sequence[str] = (),
    engine: str | None = None,
    nodes: int = 1,
    template: str | None = None,
    image: str = "notebook",
    secrets: Sequence[str] = (),
) -> Prepared:
    """Build the request of a job from the arguments of ``submit``. Nothing is sent yet. Raises ClientError."""
    folder = None if files is None else Path(files)
    work = _work(what, args, parameters, None if git is not None else folder)
    team = tenant or session.account.tenant
    request: dict[str, Any] = {
        "command": work.command,
        "profile": profile or session.account.profile,
        "name": name or work.name,
        "tenant": team,
        "outputs": None if outputs is None else [*outputs, *([f"{OWN_FOLDER}/result.*"] if work.extra else [])],
        "environment": dict(env or {}),
        "retries": retries,
        "notify": list(notify),
        "max_seconds": None if max_duration is None else seconds_of(max_duration),
        **_chosen(retry_backoff=None if retry_backoff is None else float(seconds_of(retry_backoff))),
        **_chosen(server=_server(image, session), secrets=list(secrets) or None),
        **_chosen(priority=priority, engine=engine, template=template, nodes=None if nodes == 1 else nodes),
    }
    return Prepared(request, lambda: _travel(session, work, folder, git, team))


def _server(image: str, session: Session) -> str | None:
    """The notebook whose image the job is to run in. Raises ClientError."""
    if image not in ("notebook", "site"):
        raise ClientError(f"image={image!r}: write 'notebook' (this one's own) or 'site' (the site's image of jobs).")
    return session.account.server if image == "notebook" else None


def _chosen(**asked: Any) -> dict[str, Any]:
    """What was asked; the rest is the service's default."""
    return {name: value for name, value in asked.items() if value is not None}


def get(job_id: str, *, session: Session | None = None) -> Job:
    """The job with this id. Raises UnknownJob."""
    session = session or default_session()
    return Job(session, session.get(f"/jobs/{url_quote(job_id, safe='')}"))


def quota(*, tenant: str | None = None, session: Session | None = None) -> dict[str, Any]:
    """What the team may hold, holds, and what fits now."""
    session = session or default_session()
    wanted = tenant or session.account.tenant
    return session.get("/quota", {} if wanted is None else {"tenant": wanted})


def usage(
    *, month: str | None = None, tenant: str | None = None, by: str | None = None, session: Session | None = None
) -> dict[str, Any]:
    """The use of a month, such as ``"2026-10"``, and its cost: your own in all teams, or with ``tenant`` a team's,
    added up ``by`` user, profile, kind, day or hour. Of a team you see your own use, as its admin all."""
    session = session or default_session()
    asked = {name: value for name, value in (("month", month), ("by", by)) if value is not None}
    wanted = tenant or (session.account.tenant if by is not None else None)
    return session.get("/usage/me" if wanted is None else f"/tenants/{url_quote(wanted, safe='')}/usage", asked)


def upload(
    folder: str | os.PathLike[str] | None,
    *,
    session: Session,
    tenant: str | None = None,
    extra: Mapping[str, bytes] | None = None,
) -> str:
    """Send a folder's files for a job to come; what to name as the job's ``files``.

    Files that the service has already are not sent again. How many and how large is said before anything is sent.
    Raises FilesTooLarge, ClientError.
    """
    limit = int(session.get("/limits")["max_upload"])
    load = Load(None if folder is None else Path(folder), extra or {})
    params = {} if tenant is None else {"tenant": tenant}
    for _ in range(_TRIES - 1):
        try:
            return _upload(session, look(load, limit=limit), params)
        except FileChanged as error:
            tell(f"{error.name} changed while it was being sent; the folder is read again")
    return _upload(session, look(load, limit=limit), params)


def _upload(session: Session, found: Travelling, params: Mapping[str, str]) -> str:
    """Raises FileChanged, ClientError."""
    for entry, why in list(found.skipped.items())[:_NAMED]:
        tell(f"not sent: {entry} ({why})")
    if (more := len(found.skipped) - _NAMED) > 0:
        tell(f"not sent: {more} more")
    for entry, target in list(found.outside.items())[:_NAMED]:
        tell(f"{entry} is a link out of the folder: what is in {target} is sent")
    if (more := len(found.outside) - _NAMED) > 0:
        tell(f"{more} more links out of the folder: what is in their files is sent")
    wanted = [found.contents[digest] for digest in _missing(session, list(found.contents), params)]
    if wanted:
        size, whole = readable(sum(item.size for item in wanted)), readable(found.size)
        tell(f"sending {len(wanted)} of {len(found.items)} files, {size} of {whole}")
    _send(session, found, wanted, params)
    return found.sha256


def _missing(session: Session, digests: Sequence[str], params: Mapping[str, str]) -> list[str]:
    """Those that the service has not, in the order given."""
    missing: list[str] = []
    for begin in range(0, len(digests), _ASKED_AT_ONCE):
        asked = digests[begin : begin + _ASKED_AT_ONCE]
        missing += session.change("/uploads/missing", {"sha256": asked, **params})["missing"]
    return missing


def _send(session: Session, found: Travelling, wanted: Sequence[Item], params: Mapping[str, str]) -> None:
    """Packs first, then the manifest, which the service takes only once it has all files."""
    import tempfile

    with tempfile.TemporaryDirectory(prefix="aifactory-") as scratch:
        for path in packs(wanted, Path(scratch)):
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            session.put_file(f"/uploads/packs/{digest}", path, params)
        manifest = Path(scratch) / "manifest.json"
        manifest.write_bytes(found.manifest)
        session.put_file(f"/uploads/manifests/{found.sha256}", manifest, params)


def notebook_command(path: str | os.PathLike[str], parameters: Mapping[str, Any] | None = None) -> str:
    """The command that runs a notebook in a job; the path is below the folder that travels."""
    # With -P the person's own files do not hide modules of the standard library from the runner.
    name = os.fspath(path)
    words = ["python3", "-P", "-m", "aifactory_hub.runner.notebook", f"./{name}" if name.startswith("-") else name]
    if parameters:
        words += ["--parameters", json.dumps(dict(parameters))]
    return shlex.join(words)


def _work(what: What, args: Args | None, parameters: Mapping[str, Any] | None, folder: Path | None) -> _Work:
    if callable(what):
        from .functions import COMMAND, check_arguments, ship

        function = getattr(what, "local", what)  # of one that @remote wraps, itself
        positional, named = _arguments(args)
        check_arguments(function, positional, named)
        sent = ship(function, positional, named)
        return _Work(COMMAND, getattr(function, "__name__", None), sent.files)
    if args is not None:
        raise ClientError("args are for a function. A command has its own words, a notebook has parameters.")
    text = os.fspath(what)
    if text.endswith(".ipynb") and (not isinstance(what, str) or " " not in text or Path(text).is_file()):
        if parameters:
            _check_parameters(Path(text), folder, parameters)
        return _Work(notebook_command(_in_the_job(Path(text), folder), parameters), Path(text).name)
    if parameters is not None:
        raise ClientError("parameters are for a notebook: pass a path that ends in .ipynb.")
    return _Work(text)


def _in_the_job(notebook: Path, folder: Path | None) -> Path:
    """Where the job finds the notebook: below ``folder``, which travels; where that isn't known, as it was named.

    Raises ClientError where it would not find it.
    """
    if folder is None:
        return notebook
    path = _found(notebook, folder)
    if path is None:
        raise ClientError(f"There is no notebook {str(notebook)!r} here.")
    try:
        return path.resolve().relative_to(folder.resolve())
    except ValueError:
        message = f"The notebook {str(notebook)!r} is not in the folder that travels, {str(folder)!r}: pass files=."
        raise ClientError(message) from None


def _found(notebook: Path, folder: Path | None) -> Path | None:
    """As people name files: from here, or from the folder that travels."""
    places = (notebook,) if folder is None else (notebook, folder / notebook)
    return next((place for place in places if place.is_file()), None)


def _check_parameters(notebook: Path, folder: Path | None, parameters: Mapping[str, Any]) -> None:
    """Raises ClientError for a parameter that the notebook does not declare: it would change nothing."""
    from ..notebook_parameters import read, undeclared

    path = _found(notebook, folder)
    content = None if path is None else read(path.read_bytes())
    if content is not None and (problem := undeclared(content, parameters)):
        raise ClientError(f"{notebook}: {problem}")


def _arguments(args: Args | None) -> tuple[Sequence[Any], Mapping[str, Any]]:
    if isinstance(args, Call):
        return args.args, args.kwargs
    return ((), args) if isinstance(args, Mapping) else (args or (), {})


def _travel(session: Session, work: _Work, folder: Path | None, git: str | None, tenant: str | None) -> dict[str, Any]:
    """Send what travels; what the request says of it."""
    import tempfile

    from .provenance import export, provenance, without_secrets

    if git is None:
        told = {"provenance": provenance(folder)}
        if folder is None and not work.extra:
            return told
        return {**told, "files": upload(folder, session=session, tenant=tenant, extra=work.extra)}
    with tempfile.TemporaryDirectory(prefix="aifactory-git-") as scratch:
        commit = export(git, folder or Path(), Path(scratch) / "files")
        sent = upload(Path(scratch) / "files", session=session, tenant=tenant, extra=work.extra)
    about = provenance(None) | {"commit": commit, "dirty": False, "git": without_secrets(git)}
    return {"files": sent, "provenance": about}


_sessions: dict[Any, Session] = {}


def default_session() -> Session:
    """The session of this notebook. Raises NotInNotebook."""
    account = read_account()
    # By process as well: a forked one must not share its parent's connections.
    place = (os.getpid(), account)
    if place not in _sessions:
        _sessions[place] = Session(account)
    return _sessions[place]


def forget_sessions() -> None:
    """Let go of connections."""
    for session in _sessions.values():
        session.close()
    _sessions.clear()
