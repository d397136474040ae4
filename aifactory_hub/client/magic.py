"""``%%submit``: run a cell as a job."""

from __future__ import annotations

import shlex
from typing import Any

from IPython.core.magic import Magics, cell_magic, magics_class
from IPython.core.magic_arguments import argument, magic_arguments, parse_argstring

from .job import Job, submit


@magics_class
class SubmitMagics(Magics):
    """Cell magics for jobs."""

    @magic_arguments()
    @argument("--profile", help="the GPU profile; by default the notebook's own")
    @argument("--name", help="a name for people")
    @argument("--files", default=".", help="the folder that travels with the job; 'none' for none")
    @argument("--outputs", action="append", help="a pattern of files to bring back; may be given several times")
    @argument("--wait", action="store_true", help="wait for the end and show the log")
    @argument("--into", help="the variable to put the job into")
    @cell_magic
    def submit(self, line: str, cell: str) -> Job:
        """Run the cell's Python code as a job of its own: it sees the folder's files, not the notebook's variables."""
        asked: Any = parse_argstring(self.submit, line)
        job = submit(
            f"python3 -c {shlex.quote(cell)}",
            profile=asked.profile,
            name=asked.name or cell.strip().splitlines()[0][:100],
            files=None if asked.files == "none" else asked.files,
            outputs=asked.outputs,
        )
        if asked.into:
            self.shell.user_ns[asked.into] = job
        if asked.wait:
            job.logs(follow=True)
            job.wait(progress=False)
        return job
