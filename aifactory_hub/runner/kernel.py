"""The end of a notebook's kernel."""

from __future__ import annotations

from typing import Any


def without_interrupt() -> dict[str, Any]:
    """Arguments for papermill: a kernel in which no cell runs is asked to end, and not interrupted first.

    jupyter_client interrupts every kernel that it shuts down. One that is idle has nothing to interrupt, and where the
    interrupt reaches ipykernel between two messages it writes an error into the job's log.
    """
    from jupyter_client.manager import AsyncKernelManager

    running = False

    def begin(**_cell: Any) -> None:
        nonlocal running
        running = True

    def end(**_cell: Any) -> None:
        nonlocal running
        running = False

    class Manager(AsyncKernelManager):
        async def shutdown_kernel(  # type: ignore[override]
            self, now: bool = False, restart: bool = False
        ) -> None:
            if running or now or not self.has_kernel:
                await super().shutdown_kernel(now=now, restart=restart)
                return
            self.shutting_down = True
            self.stop_restarter()
            await self.request_shutdown(restart=restart)
            await self.finish_shutdown(restart=restart)
            await self.cleanup_resources(restart=restart)

    return {"kernel_manager_class": Manager, "on_cell_execute": begin, "on_cell_executed": end}
