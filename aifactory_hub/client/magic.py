"""Magics for jobs: ``%%submit``, ``%jobs``, ``%logs``, ``%cancel``."""

from __future__ import annotations

import difflib
import functools
import shlex
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from IPython.core.error import UsageError
from IPython.core.magic import Magics, cell_magic, line_magic, magics_class
from IPython.core.magic_arguments import argument, magic_arguments, parse_argstring

from .api import get, submit
from .errors import ClientError
from .job import Job
from .job_list import JobTable
from .job_list import jobs as team
from .printable import lines, print_output

# What %%submit takes as name=value besides --name value, as people write it.
_SWITCHES = ("dry_run", "wait")
_PLAIN = ("profile", "name", "files", "outputs", "priority", "max_duration", "retries", "into")

F = TypeVar("F", bound=Callable[..., Any])


def _plainly(magic: F) -> F:
    """Say what went wrong in a line: the way through the client helps nobody who wrote a magic."""

    @functools.wraps(magic)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        try:
            return magic(*args, **kwargs)
        except ClientError as error:
            raise UsageError(lines(error)) from error

    return wrapped  # type: ignore[return-value]


@magics_class
class JobMagics(Magics):
    """Magics for jobs."""

    @magic_arguments()
    @argument("--profile", help="the GPU profile; by default the notebook's own")
    @argument("--name", help="a name for people")
    @argument("--files", default=".", help="the folder that travels with the job; 'none' for none")
    @argument("--outputs", action="append", help="a pattern of files to bring back; may be given several times")
    @argument("--priority", choices=("low", "normal", "high"), help="before or after the team's other jobs")
    @argument("--max-duration", help="such as 90m: the longest that it may run")
    @argument("--retries", type=int, default=0, help="how often to try again after a failure")
    @argument("--dry-run", action="store_true", help="say what would happen, and submit nothing")
    @argument("--wait", action="store_true", help="wait for the end and show the log")
    @argument("--into", help="the variable to put the job into")
    @cell_magic
    @_plainly
    def submit(self, line: str, cell: str) -> Any:
        """Run the cell's Python code as a job of its own: it sees the folder's files, not the notebook's variables."""
        words = [_dashed(word) for word in shlex.split(line)]
        try:
            asked: Any = parse_argstring(self.submit, " ".join(words))
        except UsageError as error:
            raise UsageError(f"{error}{_nearest(words)}") from error
        made = submit(
            f"python3 -c {shlex.quote(cell)}",
            profile=asked.profile,
            name=asked.name or cell.strip().splitlines()[0][:100],
            files=None if asked.files == "none" else asked.files,
            outputs=asked.outputs,
            priority=asked.priority,
            max_duration=asked.max_duration,
            retries=asked.retries,
            dry_run=asked.dry_run,
        )
        if asked.into:
            self.shell.user_ns[asked.into] = made
        if asked.wait and isinstance(made, Job):
            made.logs(follow=True)
        return made

    @magic_arguments()
    @argument("--mine", action="store_true", help="only one's own")
    @argument("--state", action="append", default=[], help="only in this state; may be given several times")
    @argument("--limit", type=int, default=20, help="how many at most")
    @argument("text", nargs="*", help="something in the name or command")
    @line_magic
    @_plainly
    def jobs(self, line: str) -> JobTable:
        """The team's jobs, the newest first."""
        asked: Any = parse_argstring(self.jobs, line)
        states = [state.upper() for state in asked.state]
        return team.list(mine=asked.mine, state=states, text=" ".join(asked.text), limit=asked.limit)

    @magic_arguments()
    @argument("-f", "--follow", action="store_true", help="as it comes, until the job has ended")
    @argument("--attempt", type=int, help="of this attempt; by default of the last")
    @argument("job", help="its id, or a variable that has it")
    @line_magic
    @_plainly
    def logs(self, line: str) -> None:
        """What a job has printed."""
        asked: Any = parse_argstring(self.logs, line)
        job = self._job(asked.job)
        if asked.follow and asked.attempt is not None:
            raise UsageError("--follow reads the present attempt: leave --attempt or --follow out.")
        if asked.follow:
            job.logs(follow=True)
        else:
            for _ in print_output([job.logs(attempt=asked.attempt)]):
                pass

    @magic_arguments()
    @argument("job", help="its id, or a variable that has it")
    @line_magic
    @_plainly
    def cancel(self, line: str) -> Job:
        """Stop a job."""
        asked: Any = parse_argstring(self.cancel, line)
        return self._job(asked.job).cancel()

    def _job(self, name: str) -> Job:
        known = self.shell.user_ns.get(name)
        if known is not None and not isinstance(known, Job):
            raise UsageError(f"{name} is a {type(known).__name__}, no job")
        return known if known is not None else get(name)


def _nearest(words: Sequence[str]) -> str:
    """A hint at the option that an unknown word resembles most; empty without one."""
    known = [f"--{name.replace('_', '-')}" for name in (*_PLAIN, *_SWITCHES)]
    names = [f"--{word.strip(chr(39)).lstrip('-').partition('=')[0]}" for word in words]
    near = [match for name in names if name not in known for match in difflib.get_close_matches(name, known, n=1)]
    return f" Did you mean {near[0]}?" if near else ""


def _dashed(word: str) -> str:
    """``profile=x`` as ``--profile=x``, quoted as it must be to be split again."""
    name, equals, _ = word.partition("=")
    return shlex.quote(f"--{word.replace('max_duration', 'max-duration', 1)}" if equals and name in _PLAIN else word)
