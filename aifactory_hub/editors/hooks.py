"""The commands that an environment runs before each server, as the person."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

# Seconds for each of them.
TIMEOUT = 60.0
# Characters of what one has printed that are told when it fails.
_TOLD = 400


def run_hooks(
    commands: Sequence[str],
    say: Callable[[str], None],
    *,
    timeout: float = TIMEOUT,
    variables: Mapping[str, str] | None = None,
) -> int:
    """Run each in a shell, one after the other; one that fails or takes too long is told and no more.

    Returns how many failed.
    """
    return sum(not _run(command, say, timeout, variables) for command in commands)


def _run(command: str, say: Callable[[str], None], timeout: float, variables: Mapping[str, str] | None) -> bool:
    try:
        process = subprocess.Popen(
            ["/bin/sh", "-c", command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=None if variables is None else dict(variables),
            start_new_session=True,
        )
    except OSError as error:
        say(f"start hook `{command}` could not be run: {error}")
        return False
    try:
        output, _ = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        # With all that it has started: what holds its output open would be waited for.
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        say(f"start hook `{command}` was ended after {timeout:g} s")
        return False
    if process.returncode:
        tail = output.decode(errors="replace").strip()[-_TOLD:]
        say(f"start hook `{command}` failed with {process.returncode}{f': {tail}' if tail else ''}")
    return process.returncode == 0
