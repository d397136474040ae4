"""The choice of team and profile, and whether it may be had: shared by every spawner, whatever runs its servers."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from jupyterhub.utils import url_path_join
from traitlets import Dict, HasTraits, default

from aifactory_hub.auth.memberships import from_auth_state
from aifactory_hub.auth.roles import server_token_scopes
from aifactory_hub.domain.refusals import Refusal, RefusalReason
from aifactory_hub.domain.server_ends import ServerEnd, end_text
from aifactory_hub.domain.spawns import SpawnPlan, SpawnRequest, admit_plan, plan_choice

from .binding import Binding
from .choices import WAIT, read_form, read_options, to_options
from .gather import gather_outlooks, gather_tenant
from .options_form import Menu, build_menu, numbers, render, usable_teams
from .refusals import refused
from .tokens import narrow_token

# Seconds by which the hub gives up on a start later than we do.
START_MARGIN = 30


class GivenOptions(Dict):
    """The options of a start, whatever JSON a REST call sent.

    JupyterHub 5 stores them before it hands them over: a spawner that did not take them could never be made again.
    """

    def validate(self, obj: Any, value: Any) -> Any:
        """Anything: the start refuses what can't be read."""
        return value


class TeamChoice(HasTraits):
    """Mixed into a spawner that has ``get_registry``, ``_wiring()`` and ``_binding``.

    Of the wiring it needs ``registry``, ``admission`` and the health of ``clients``, so that what stands behind
    them may be a cluster or a simulated one.
    """

    user_options = GivenOptions()

    get_registry: Any
    _binding: Binding | None
    _typed: SpawnRequest | None = None
    # The hub's traits, which the type checker does not see.
    authenticator: Any
    hub: Any
    name: Any

    @default("server_token_scopes")
    def _default_server_token_scopes(self) -> list[str]:
        return server_token_scopes()

    @default("start_timeout")
    def _default_start_timeout(self) -> int:
        # We give up ourselves, with a message that says why: a start that may wait for quota later than another.
        notebook = self.get_registry().notebook
        timeout: int = notebook.queue_timeout + notebook.start_timeout + START_MARGIN
        return timeout

    @default("apply_user_options")
    def _default_apply_user_options(self) -> Any:
        # They are read when the server starts; the hub would warn that nobody does.
        return lambda spawner, options: None

    @default("options_form")
    def _default_options_form(self) -> Any:
        return self.show_menu

    @default("options_from_form")
    def _default_options_from_form(self) -> Any:
        return self.read_menu

    def home_generation(self) -> int:
        """Which home volumes the account has: others after it was handed over without them."""
        accounts = getattr(self.authenticator, "accounts", None)
        account = None if accounts is None else accounts.handed_over(self.user.name)
        return 0 if account is None else account.home

    async def _wiring(self) -> Any:
        raise NotImplementedError

    async def show_menu(self, _spawner: Any = None) -> str:
        """The spawn page's form: this person's teams, and what is free in each now."""
        preferred, self._typed = self._typed, None
        token = getattr(self.handler, "xsrf_token", b"")
        linked, note = await self._linked()
        return render(
            await self._menu(preferred or linked),
            note=note,
            xsrf=token.decode() if isinstance(token, bytes) else token,
            refresh_url=url_path_join(self.hub.base_url, "aifactory/menu", self.user.escaped_name),
            last_end=self._told_end(),
        )

    async def _linked(self) -> tuple[SpawnRequest | None, str]:
        """What the link to the page chose, if it chose anything, and what the page says of it."""
        given = getattr(self.handler, "preselected", None)
        if not given:
            return None, ""
        request = read_form(given)
        if isinstance(request, Refusal):
            return None, f"The link to this page can't be followed: {request.message}"
        registry = (await self._wiring()).registry
        plan = plan_choice(request, await self._memberships(), registry.tenants, registry.catalogue)
        if isinstance(plan, SpawnPlan):
            request = SpawnRequest(plan.tenant.name, plan.profile.name, plan.wait)
        elif plan.reason is not RefusalReason.CHOICE_MISSING:
            return None, f"The link to this page can't be followed: {plan.message}"
        return request, "The link to this page made the choice below. Nothing is started before you press Start."

    def options_from_query(self, query_data: Any) -> Any:
        """JupyterHub starts a server with what this returns of a link's query: a link starts nothing here."""
        message = "A link can't start a server: choose on the spawn page, or use the REST API."
        raise refused(Refusal(RefusalReason.BAD_FIELD, message))

    def _told_end(self) -> str:
        """Why this server ended the last time, of a spawner that knows; empty when somebody stopped it."""
        ended: ServerEnd | None = getattr(self, "ended", None)
        return end_text(self.name, ended) if ended is not None else ""

    async def menu_numbers(self) -> dict[str, Any]:
        """What has changed on a spawn page that is open, see ``options_form.numbers``."""
        return numbers(await self._menu(None))

    async def _menu(self, preferred: SpawnRequest | None) -> Menu:
        wiring, memberships = await self._wiring(), await self._memberships()
        registry = wiring.registry
        before = read_options(self.user_options or {})
        return build_menu(
            registry.tenants,
            memberships,
            await gather_outlooks(wiring, usable_teams(registry.tenants, memberships)),
            registry.catalogue,
            simulated=registry.cluster.simulated,
            user=self.user.name,
            preferred=preferred or (SpawnRequest(None, None) if isinstance(before, Refusal) else before),
        )

    async def read_menu(self, form: Mapping[str, Sequence[Any]]) -> dict[str, str]:
        """What was chosen, checked, so that a refusal appears on the form itself. Raises SpawnRefused."""
        request = read_form(form)
        if isinstance(request, Refusal):
            raise refused(request)
        # The hub shows the form of the default server again, whichever server it was for.
        self.user.spawner._typed = request
        wiring = await self._wiring()
        plan = await self._choose(wiring, request)
        await self._admit(wiring, plan, ask=False)
        self.user.spawner._typed = None
        return to_options(plan.tenant.name, plan.profile.name, wait=plan.wait)

    async def _memberships(self) -> Any:
        return from_auth_state(await self.user.get_auth_state())

    async def _choose(self, wiring: Any, request: SpawnRequest) -> SpawnPlan:
        registry = wiring.registry
        plan = plan_choice(request, await self._memberships(), registry.tenants, registry.catalogue)
        if isinstance(plan, Refusal):
            raise refused(plan)
        return plan

    async def _admit(self, wiring: Any, plan: SpawnPlan, *, ask: bool) -> Any:
        facts = await gather_tenant(wiring, plan.tenant.name, ask=ask)
        verdict = admit_plan(plan, facts, wiring.registry.catalogue, self.user.name)
        if isinstance(verdict, Refusal):
            raise refused(_or_wait(verdict))
        return facts.usage

    async def _read_choice(self, wiring: Any) -> SpawnPlan:
        """The plan of the options that the hub stored. Raises SpawnRefused."""
        request = read_options(self.user_options or {})
        if isinstance(request, Refusal):
            raise refused(request)
        return await self._choose(wiring, request)

    def _queue_deadline(self, plan: SpawnPlan) -> float:
        """Until when to wait for quota, by the monotonic clock."""
        notebook = self.get_registry().notebook
        seconds: int = notebook.queue_timeout if plan.wait else notebook.start_timeout
        return time.monotonic() + seconds

    def _narrow_token(self, tenant: str) -> None:
        narrow_token(self.user.db, self.api_token, tenant)

    def get_env(self) -> dict[str, str]:
        env: dict[str, str] = super().get_env()
        if self._binding is not None:
            env["AIFACTORY_SERVICE_URL"] = self.get_registry().addresses.service
            env["AIFACTORY_TENANT"] = self._binding.tenant
            env["AIFACTORY_PROFILE"] = self._binding.profile
        return env


def _or_wait(refusal: Refusal) -> Refusal:
    """What is only taken for now can be waited for, by who says so."""
    if refusal.reason is not RefusalReason.QUOTA_EXCEEDED:
        return refusal
    return replace(refusal, message=f"{refusal.message} To wait for it in the queue, choose it again (wait={WAIT}).")
