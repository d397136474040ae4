"""What importing the client loads: every notebook and every job pays for it."""

from __future__ import annotations

import subprocess
import sys

# Loaded only by what needs them. httpx alone takes longer than all the rest.
HEAVY = [
    "IPython",
    "asyncio",
    "click",
    "email",
    "gzip",
    "httpx",
    "numpy",
    "pathspec",
    "pickle",
    "ssl",
    "subprocess",
    "tarfile",
    "tempfile",
    "urllib.request",
]


def loaded_by(statement: str) -> set[str]:
    program = f"{statement}\nimport sys\nprint(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-S", "-c", _with_paths(program)], capture_output=True, text=True, check=True
    )
    return set(done.stdout.split())


def _with_paths(program: str) -> str:
    # Without ``site``, which loads what other packages' path files ask for.
    return f"import sys\nsys.path[:] = {sys.path!r}\n{program}"


def test_importing_the_client_loads_nothing_heavy() -> None:
    assert loaded_by("import aifactory_hub.client") & {*HEAVY} == set()


def test_what_people_import_first_loads_nothing_heavy() -> None:
    found = loaded_by("from aifactory_hub.client import submit, sweep, jobs, remote, report, Job, SubmitRefused")
    assert found & {*HEAVY} == set()


def test_reporting_from_a_job_loads_nothing_heavy() -> None:
    assert loaded_by("from aifactory_hub.client import report; report(1)") & {*HEAVY} == set()


def test_everything_that_is_promised_is_there() -> None:
    import aifactory_hub.client as client

    for name in client.__all__:
        assert getattr(client, name) is not None
    assert set(dir(client)) == set(client.__all__)
