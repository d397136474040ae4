"""The choice of team and profile, and whether it may be had: shared by every spawner, whatever runs its servers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from traitlets import Dict, HasTraits, default

from aifactory_hub.auth.memberships import from_auth_state
from aifactory_hub.auth.roles import server_token_scopes
from aifactory_hub.domain.refusals import Refusal
from aifactory_hub.domain.spawns import SpawnPlan, SpawnRequest, admit_plan, plan_choice

from .binding import Binding
from .choices import read_form, read_options, to_options
from .gather import gather_tenant, gather_tenants
from .options_form import build_menu, render, usable_teams
from .refusals import refused
from .tokens import narrow_token


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

    @default("server_token_scopes")
    def _default_server_token_scopes(self) -> list[str]:
        return server_token_scopes()

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

    async def _wiring(self) -> Any:
        raise NotImplementedError

    async def show_menu(self, _spawner: Any = None) -> str:
        """The spawn page's form: this person's teams, and what is free in each now."""
        wiring, memberships = await self._wiring(), await self._memberships()
        registry = wiring.registry
        facts = await gather_tenants(wiring, usable_teams(registry.tenants, memberships))
        before = read_options(self.user_options or {})
        preferred, self._typed = self._typed, None
        shown = build_menu(
            registry.tenants,
            memberships,
            facts,
            registry.catalogue,
            simulated=registry.cluster.simulated,
            preferred=preferred or (SpawnRequest(None, None) if isinstance(before, Refusal) else before),
        )
        token = getattr(self.handler, "xsrf_token", b"")
        return render(shown, xsrf=token.decode() if isinstance(token, bytes) else token)

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
        return to_options(plan.tenant.name, plan.profile.name)

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
        verdict = admit_plan(plan, facts, wiring.registry.catalogue)
        if isinstance(verdict, Refusal):
            raise refused(verdict)
        return facts.usage

    async def _read_choice(self, wiring: Any) -> SpawnPlan:
        """The plan of the options that the hub stored. Raises SpawnRefused."""
        request = read_options(self.user_options or {})
        if isinstance(request, Refusal):
            raise refused(request)
        return await self._choose(wiring, request)

    def _narrow_token(self, tenant: str) -> None:
        narrow_token(self.user.db, self.api_token, tenant)

    def get_env(self) -> dict[str, str]:
        env: dict[str, str] = super().get_env()
        if self._binding is not None:
            env["AIFACTORY_SERVICE_URL"] = self.get_registry().addresses.service
            env["AIFACTORY_TENANT"] = self._binding.tenant
            env["AIFACTORY_PROFILE"] = self._binding.profile
        return env
