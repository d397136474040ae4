"""Pages and endpoints about memberships, below ``/hub/aifactory/``."""

from __future__ import annotations

from .account_pages import AccountsApi, AccountsPage, HandoverApi, HandoverForm
from .idle_stop import IdleStop
from .logout import BackChannelLogout
from .membership_api import Explain, MembershipsOf, PeopleOf
from .team_page import SignInsPage, StopServer, StopServerApi, TeamPage, TeamServers
from .tenants_file_api import TenantsFile


def routes() -> list[tuple[str, type]]:
    """Paths below the hub's prefix, each with its handler."""
    server = r"(?P<tenant>[a-z0-9-]+)/servers/(?P<name>[^/]+)/(?P<server>[^/]*)"
    return [
        (r"/aifactory/backchannel-logout", BackChannelLogout),
        (r"/aifactory/api/memberships", MembershipsOf),
        (r"/aifactory/api/people", PeopleOf),
        (r"/aifactory/api/tenants-file", TenantsFile),
        (r"/aifactory/api/idle-stop", IdleStop),
        (r"/aifactory/api/explain/(?P<name>[^/]+)", Explain),
        (r"/aifactory/api/teams/(?P<tenant>[a-z0-9-]+)/servers", TeamServers),
        (rf"/aifactory/api/teams/{server}", StopServerApi),
        (r"/aifactory/team/(?P<tenant>[a-z0-9-]+)", TeamPage),
        (rf"/aifactory/team/{server}/stop", StopServer),
        (r"/aifactory/sign-ins", SignInsPage),
        (r"/aifactory/accounts", AccountsPage),
        (r"/aifactory/accounts/handover", HandoverForm),
        (r"/aifactory/api/accounts", AccountsApi),
        (r"/aifactory/api/accounts/(?P<name>[^/]+)/handover", HandoverApi),
    ]
