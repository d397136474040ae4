"""Error pages of the sign-in."""

from __future__ import annotations

from html import escape
from http import HTTPStatus

from tornado import web


class ProblemPage(web.HTTPError):
    """An error that JupyterHub shows as a page with ``message``, and with a way to try again.

    ``details`` are for an administrator: the page has them folded.
    """

    def __init__(
        self, status: HTTPStatus, message: str, *, title: str = "You are not signed in", details: str = ""
    ) -> None:
        # Without a reason of its own the page's headline would repeat the whole message.
        super().__init__(status, message, reason=status.phrase)
        self.aifactory_title, self.aifactory_details = title, details
        self.jupyterhub_message = f"{message} {details}".strip()
        # Relative: sign-in starts beside the page where it ended.
        link = '<a class="btn btn-jupyter" href="oauth_login">Sign in again</a>'
        self.jupyterhub_html_message = f"{escape(message)}</p><p>{link}"


def no_team_page(username: str, arrived: str) -> ProblemPage:
    """Signed in, but in no team. Which teams there are is not said; ``arrived`` says what the provider sent."""
    return ProblemPage(
        HTTPStatus.FORBIDDEN,
        f"You are signed in as {username}, but you are in no team's group, so there is nothing here that you may "
        "use. Ask your team's admin to add you to the team's group in the identity provider, then sign in again.",
        title="You are in no team yet",
        details=arrived,
    )
