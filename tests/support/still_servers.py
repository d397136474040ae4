"""A hub configuration whose servers are sockets in the hub's own process: they start and stop, and run nothing."""

from __future__ import annotations

from .hub_process import CONFIG

SERVERS = '''
import asyncio, json
from pathlib import Path
from jupyterhub.spawner import Spawner
from tornado import httpserver, netutil, web
from aifactory_hub.auth.memberships import from_auth_state
from aifactory_hub.auth.roles import server_token_scopes
from aifactory_hub.domain.spawns import choose_tenant
from aifactory_hub.domain.tenants import Tenant
from aifactory_spawner.tokens import narrow_token

class Answer(web.RequestHandler):
    def get(self):
        self.set_header("X-JupyterHub-Version", "0")
        self.write("still")

class StillSpawner(Spawner):
    """Its tenant is chosen and stored as the real one does it; the token is left where the test finds it."""

    tenant = None
    server_sockets = None

    async def start(self):
        registry = c.AIFactoryAuthenticator.get_registry()
        memberships = from_auth_state(await self.user.get_auth_state())
        found = choose_tenant(self.user_options.get("tenant"), memberships, registry.tenants)
        if not isinstance(found, Tenant):
            raise web.HTTPError(403, found.message)
        self.tenant = found.name
        self.orm_spawner.state = self.get_state()
        self.user.db.commit()
        narrow_token(self.user.db, self.api_token, self.tenant)
        Path(f"token-{self.user.name}-{self.name}").write_text(self.api_token)
        if self.user_options.get("slow"):
            await asyncio.sleep(120)
        self.http = httpserver.HTTPServer(web.Application([(".*", Answer)]))
        sockets = netutil.bind_sockets(0, "127.0.0.1")
        self.http.add_sockets(sockets)
        return f"http://127.0.0.1:{sockets[0].getsockname()[1]}"

    def get_state(self):
        state = super().get_state()
        if self.tenant:
            state["aifactory"] = {"tenant": self.tenant, "profile": "mig-1g.10gb"}
        state.update((self.user_options or {}).get("told", {}))
        return state

    @classmethod
    def cluster_state(cls):
        return {"watch": None, "trouble": "no <cluster> here", "teams": [], "orphans": [], "removes": False}

    async def stop(self, now=False):
        if getattr(self, "http", None):
            self.http.stop()
            self.http = None

    async def poll(self):
        return None if getattr(self, "http", None) else 0

c.JupyterHub.spawner_class = StillSpawner
c.StillSpawner.server_token_scopes = server_token_scopes()
c.AIFactoryAuthenticator.sweep_interval = 1
c.AIFactoryAuthenticator.admin_users = {"root"}
c.JupyterHub.load_roles.append(
    {"name": "boss", "scopes": ["admin:users", "admin:servers", "tokens", "groups", "list:users", "admin-ui"],
     "services": ["boss"]}
)
c.JupyterHub.services.append({"name": "boss", "api_token": "b" * 40})
'''

STILL = CONFIG + SERVERS
BOSS_TOKEN = "b" * 40
