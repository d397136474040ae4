"""The choice of team and profile on the spawn page, and whether it may be started."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol

from jupyterhub import orm
from jupyterhub.utils import url_path_join

from aifactory_hub.auth.memberships import from_auth_state
from aifactory_hub.domain.budget_words import not_asked
from aifactory_hub.domain.budgets import refuses_notebooks
from aifactory_hub.domain.home import KnownLoads
from aifactory_hub.domain.names import shares_name
from aifactory_hub.domain.quota import Usage
from aifactory_hub.domain.refusals import Refusal, RefusalReason
from aifactory_hub.domain.server_ends import ServerEnd, end_text
from aifactory_hub.domain.spawns import SpawnPlan, SpawnRequest, admit_plan, plan_choice
from aifactory_hub.domain.tenants import Role
from aifactory_hub.hub_pages.budgets import DECIDE_WITHIN, BudgetsUnknown, said_of_budgets
from aifactory_hub.registry import NotebookConfig, Registry

from .binding import Binding
from .choices import WAIT, read_form, read_options, to_options
from .gather import Cluster, gather_team_loads, gather_tenant
from .options_form import Menu, build_menu, numbers, render, usable_teams
from .refusals import SpawnRefused, failed, refused
from .server_rules import review_start

log = logging.getLogger(__name__)


class MenuSpawner(Protocol):
    """What a choice reads of JupyterHub's spawner. The hub's objects have no types."""

    user: Any
    hub: Any
    handler: Any
    name: Any
    user_options: Any


class TeamChoice:
    """What the user of a spawner chose, or may choose.

    ``cluster`` connects to the cluster, or to a simulated one. ``last_end`` returns why the spawner's server ended the
    last time, None after a stop that somebody asked for.
    """

    def __init__(
        self,
        spawner: MenuSpawner,
        cluster: Callable[[], Awaitable[Cluster]],
        last_end: Callable[[], ServerEnd | None] = lambda: None,
    ) -> None:
        self._spawner = spawner
        self._cluster = cluster
        self._last_end = last_end
        # What was sent with a form that was refused, to be shown again.
        self._typed: SpawnRequest | None = None
        # What the site's rules say to the last start that was judged, and that does not stop it.
        self.advice: tuple[str, ...] = ()

    # The spawn page

    async def show_menu(self, _spawner: Any = None) -> str:
        """The spawn page's form: the user's teams, and what is free in each now. JupyterHub's ``options_form``."""
        preferred, self._typed = self._typed, None
        token = getattr(self._spawner.handler, "xsrf_token", b"")
        linked, note = await self._linked()
        return render(
            await self._menu(preferred or linked),
            note=note,
            xsrf=token.decode() if isinstance(token, bytes) else token,
            refresh_url=url_path_join(self._spawner.hub.base_url, "aifactory/menu", self._spawner.user.escaped_name),
            last_end=self._last_end_text(),
        )

    async def menu_numbers(self) -> dict[str, Any]:
        """What has changed on a spawn page that is open, see ``options_form.numbers``."""
        return numbers(await self._menu(None))

    async def known_loads(self, teams: Iterable[str], within: float) -> KnownLoads:
        """The teams that the user may start servers in, with their loads and those of ``teams``, for the Home page.

        What is not known after ``within`` seconds is left out. Raises nothing.
        """
        usable: tuple[str, ...] = ()
        try:
            async with asyncio.timeout(within):
                memberships = await self._memberships()
                cluster = await self._cluster()
                usable = tuple(usable_teams(cluster.registry.tenants, memberships))
                others = [team for team in teams if team in cluster.registry.tenants]
                return KnownLoads(usable, await gather_team_loads(cluster, {*usable, *others}))
        except (TimeoutError, SpawnRefused) as error:
            log.info("what is free is not known now: %s", error or "no answer in time")
            return KnownLoads(usable)

    async def read_menu(self, form: Mapping[str, Sequence[Any]]) -> dict[str, str]:
        """Check what was sent with the form, so that a refusal appears on the form. JupyterHub's ``options_from_form``.

        Raises SpawnRefused.
        """
        request = read_form(form)
        if isinstance(request, Refusal):
            raise refused(request)
        # The hub shows the form of the default server again, whichever server it was for.
        shown: TeamChoice = self._spawner.user.spawner.team_choice
        shown._typed = request
        plan = await self._choose(request)
        await self.admit(plan, ask=False)
        shown._typed = None
        return to_options(plan)

    async def _linked(self) -> tuple[SpawnRequest | None, str]:
        """What the link to the page chose, if it chose anything, and the page's sentence about it."""
        given = getattr(self._spawner.handler, "preselected", None)
        if not given:
            return None, ""
        request = read_form(given)
        if isinstance(request, Refusal):
            return None, f"The link to this page can't be followed: {request.message}"
        plan = await self._plan(request)
        if isinstance(plan, SpawnPlan):
            chosen = None if plan.choice is None else plan.choice.name
            request = SpawnRequest(plan.tenant.name, plan.profile.name, plan.wait, chosen)
        elif plan.reason is not RefusalReason.CHOICE_MISSING:
            return None, f"The link to this page can't be followed: {plan.message}"
        return request, "The link to this page made the choice below. Nothing is started before you press Start."

    async def _menu(self, preferred: SpawnRequest | None) -> Menu:
        cluster, memberships = await self._cluster(), await self._memberships()
        registry = cluster.registry
        before = read_options(self._spawner.user_options or {})
        teams = usable_teams(registry.tenants, memberships)
        loads, budgets = await asyncio.gather(gather_team_loads(cluster, teams), self._budget_words(registry, teams))
        return build_menu(
            registry.tenants,
            memberships,
            loads,
            registry.catalogue,
            budgets=budgets,
            simulated=registry.cluster.simulated,
            user=self._spawner.user.name,
            preferred=preferred or (SpawnRequest(None, None) if isinstance(before, Refusal) else before),
            offering=registry.offering(time.time()),
        )

    def _last_end_text(self) -> str:
        end = self._last_end()
        return "" if end is None else end_text(self._spawner.name, end)

    # The start

    async def plan(self) -> SpawnPlan:
        """The plan of the options that the hub stored. Raises SpawnRefused."""
        request = read_options(self._spawner.user_options or {})
        if isinstance(request, Refusal):
            raise refused(request)
        return await self._choose(request)

    async def admit(self, plan: SpawnPlan, *, ask: bool) -> Usage:
        """What is in use, if the plan may go ahead. Raises SpawnRefused. With ``ask`` the team's vCluster is asked."""
        cluster = await self._cluster()
        await self._ask_rules(cluster, plan)
        await self._ask_budgets(plan)
        facts = await gather_tenant(cluster, plan.tenant.name, ask=ask)
        verdict = admit_plan(plan, facts, cluster.registry.catalogue, self._spawner.user.name)
        if isinstance(verdict, Refusal):
            raise refused(_or_wait(verdict))
        if facts.usage is None:
            raise RuntimeError(f"a start in {plan.tenant.name} was admitted though its usage is not known")
        return facts.usage

    async def _ask_budgets(self, plan: SpawnPlan) -> None:
        """Ask the job service, which has the ledger, where a budget may let no notebook start. Raises SpawnRefused."""
        tenant = plan.tenant
        if not refuses_notebooks(tenant.budgets):
            return
        user = self._spawner.user
        try:
            asked = said_of_budgets(user.settings, user.name, [tenant.name], plan.profile.name, within=DECIDE_WITHIN)
            said = (await asked).get(tenant.name)
        except BudgetsUnknown:
            raise refused(not_asked(tenant.name)) from None
        if said is not None and said.refusal is not None:
            raise refused(said.refusal)

    async def _budget_words(self, registry: Registry, teams: Iterable[str]) -> Mapping[str, Sequence[str]]:
        """How the budgets of these teams stand; nothing of what is not known now."""
        those = [team for team in teams if registry.tenants[team].budgets]
        user = self._spawner.user
        try:
            said = await said_of_budgets(user.settings, user.name, those) if those else {}
        except BudgetsUnknown:
            return dict.fromkeys(those, ("How its budgets stand is not known now.",))
        return {team: each.words for team, each in said.items()}

    async def _ask_rules(self, cluster: Cluster, plan: SpawnPlan) -> None:
        """Ask the site's rules. Raises SpawnRefused."""
        memberships = await self._memberships()
        verdict = review_start(
            cluster.rules,
            plan,
            self._spawner.user.name,
            self._spawner.name,
            role=memberships.get(plan.tenant.name),
            image=cluster.registry.notebook.image if plan.choice is None else plan.choice.version.image,
            now=time.time(),
        )
        if verdict.refusal is not None:
            raise refused(verdict.refusal)
        rules = (f"{each.message} {each.fix}".strip() for each in verdict.warnings)
        self.advice = (*([f"{plan.choice.name}: {plan.advice}"] if plan.choice and plan.advice else []), *rules)

    async def _choose(self, request: SpawnRequest) -> SpawnPlan:
        plan = await self._plan(request)
        if isinstance(plan, Refusal):
            raise refused(plan)
        return plan

    async def _plan(self, request: SpawnRequest) -> SpawnPlan | Refusal:
        registry = (await self._cluster()).registry
        offering = registry.offering(time.time())
        return plan_choice(request, await self._memberships(), registry.tenants, registry.catalogue, offering)

    async def _memberships(self) -> Mapping[str, Role]:
        return from_auth_state(await self._spawner.user.get_auth_state())


def check_name(user: Any) -> None:
    """Raise SpawnRefused when somebody else's objects have the names that this user's would have."""
    names = (name for (name,) in user.db.query(orm.User.name))
    if (other := shares_name(user.name, names)) is not None:
        log.error("%s and %s have the same name in Kubernetes; nothing is started", user.name, other)
        raise failed(
            "Your user name and another person's lead to the same names in Kubernetes, so nothing of yours can be "
            "started. An administrator of the hub has to give you another user name."
        )


def refused_link() -> SpawnRefused:
    """For ``options_from_query``: JupyterHub starts a server with what that returns, so a link could start one."""
    message = "A link can't start a server: choose on the spawn page, or use the REST API."
    return refused(Refusal(RefusalReason.BAD_FIELD, message))


def queue_deadline(notebook: NotebookConfig, plan: SpawnPlan) -> float:
    """Until when a start waits for quota, by the monotonic clock."""
    return time.monotonic() + (notebook.queue_timeout if plan.wait else notebook.start_timeout)


def team_environment(registry: Registry, binding: Binding | None) -> dict[str, str]:
    """The environment variables that tell a server where it is; none before a start has bound it."""
    if binding is None:
        return {}
    return {
        "AIFACTORY_SERVICE_URL": registry.addresses.service,
        "AIFACTORY_TENANT": binding.tenant,
        "AIFACTORY_PROFILE": binding.profile,
        **({"AIFACTORY_ENVIRONMENT": binding.environment} if binding.environment else {}),
    }


def home_generation(authenticator: Any, user: str) -> int:
    """Which home volumes an account has: others after it was handed over without them."""
    accounts = getattr(authenticator, "accounts", None)
    account = None if accounts is None else accounts.handed_over(user)
    return 0 if account is None else int(account.home)


def _or_wait(refusal: Refusal) -> Refusal:
    """What is only taken for now can be waited for, by who says so."""
    if refusal.reason is not RefusalReason.QUOTA_EXCEEDED:
        return refusal
    return replace(refusal, message=f"{refusal.message} To wait for it in the queue, choose it again (wait={WAIT}).")
