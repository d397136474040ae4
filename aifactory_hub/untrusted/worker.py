"""A process of its own that reads one pack or manifest: ``python -I -m aifactory_hub.untrusted.worker TASK``.

It takes memory and processor time up to a limit and never writes a file, so whatever the input makes of the reader,
the process ends and nothing else is harmed. The answer on standard output is one line of JSON and, for what was read,
a line for each digest with the size of its content.
"""

from __future__ import annotations

import json
import os
import resource
import sys
from pathlib import Path
from typing import Any

from .json_text import BadJson
from .manifests import ManifestLimits, read_manifest
from .packs import BadPack, PackLimits, pack_entries


def main() -> int:
    """0 when the answer was written; it may be a refusal."""
    task = json.loads(sys.argv[1])
    _limit_ourselves(task["memory"], task["seconds"])
    answer: dict[str, Any] = {}
    lines: list[str] = []
    try:
        lines = _READERS[task["kind"]](Path(task["path"]), task["limits"])
    except BadPack as error:
        answer = {"bad_pack": str(error)}
    except BadJson as error:
        answer = {"bad_json": [error.field, error.problem]}
    except MemoryError:
        answer = {"memory": True}
    sys.stdout.write("\n".join([json.dumps(answer), *lines]))
    return 0


def _limit_ourselves(memory: int, seconds: int) -> None:
    for kind, most in (
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_CPU, seconds),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(kind, (most, most))
    # The service answers people meanwhile: this takes what they leave of the processors.
    os.nice(19)


def _pack(path: Path, limits: dict[str, int]) -> list[str]:
    with path.open("rb") as file:
        return [f"{entry.sha256} {entry.size}" for entry in pack_entries(file.read, PackLimits(**limits))]


def _manifest(path: Path, limits: dict[str, int]) -> list[str]:
    return [f"{file.sha256} {file.size}" for file in read_manifest(path.read_bytes(), ManifestLimits(**limits))]


_READERS = {"pack": _pack, "manifest": _manifest}


if __name__ == "__main__":
    sys.exit(main())
