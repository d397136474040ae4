"""Accounts and their persons for the hub's administrators: as JSON for the command line, and as a page."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from jupyterhub.apihandlers.base import APIHandler
from jupyterhub.handlers.base import BaseHandler
from jupyterhub.utils import url_path_join
from tornado import web

from ..domain.accounts import Account, Subject
from .handover import NotEnded

# A sign-in with a longer one is refused, see authenticator.token_to_user.
_LONGEST = 1024
_MOST_AT_ONCE = 10_000


class _ForAdministrators(BaseHandler):
    """An administrator's endpoint: the right to manage users is the right to manage accounts."""

    def check_right(self) -> str:
        """The administrator's name. Raises 403."""
        if not self.has_scope("admin:users"):
            raise web.HTTPError(HTTPStatus.FORBIDDEN, "This is for the hub's administrators.")
        return str(self.current_user.name)

    def account(self, name: str) -> Account:
        """Raises 404 for a name that nobody has signed in with and that is no user."""
        account: Account | None = self.authenticator.accounts.get(name)
        if account is None:
            if self.find_user(name) is None:
                raise web.HTTPError(HTTPStatus.NOT_FOUND, f"There is no account {name!r}.")
            return Account(name, None, 0.0)
        return account

    def subject(self, subject: Any, issuer: Any) -> Subject:
        """The person that a request names. Raises 400, which names the field."""
        issuer = self.authenticator.issuer if issuer in (None, "") else issuer
        for field, value in (("subject", subject), ("issuer", issuer)):
            if not isinstance(value, str) or not value or len(value) > _LONGEST or not value.isprintable():
                message = f"{field} has to be a text of 1 to {_LONGEST} printable characters."
                raise web.HTTPError(HTTPStatus.BAD_REQUEST, message)
        return Subject(issuer, subject)

    async def hand_over(self, name: str, to: Subject | None, *, keep_home: bool, keep_jobs: bool) -> Account:
        """Carry it out. Raises 404, 400 for the administrator's own account, 503 while a server does not stop."""
        by = self.check_right()
        self.account(name)
        if name == by:
            raise web.HTTPError(
                HTTPStatus.BAD_REQUEST, "You can't hand over your own account: ask another administrator."
            )
        try:
            account: Account = await self.authenticator.handovers.hand_over(
                name, to, keep_home=keep_home, keep_jobs=keep_jobs, by=by
            )
        except NotEnded as error:
            message = f"The account is shut, but {error}. The hub tries again every half minute."
            raise web.HTTPError(HTTPStatus.SERVICE_UNAVAILABLE, message) from error
        return account


class AccountsApi(_ForAdministrators, APIHandler):
    """All accounts, and new subjects of the same people."""

    async def get(self) -> None:
        """``accounts``: name, issuer, subject (null: whoever signs in next)."""
        self.check_right()
        await self.authenticator.accounts.ready()
        self.set_header("Cache-Control", "no-store")
        self.write({"accounts": [_json(account) for account in self.authenticator.accounts.all()]})

    async def post(self) -> None:
        """``{"accounts": [{"name", "subject", "issuer"}]}``: the same people have these subjects now. All or none."""
        by = self.check_right()
        await self.authenticator.accounts.ready()
        body = self.get_json_body()
        asked = body.get("accounts") if isinstance(body, dict) else None
        if not isinstance(asked, list) or not asked or len(asked) > _MOST_AT_ONCE:
            raise web.HTTPError(HTTPStatus.BAD_REQUEST, f"accounts has to be a list of 1 to {_MOST_AT_ONCE} objects.")
        pairs = [self._pair(place, one) for place, one in enumerate(asked)]
        for account, person in pairs:
            self.authenticator.accounts.set_subject(account.name, person)
            before = None if account.subject is None else account.subject.subject
            self.log.warning("%s binds account %s anew: %r -> %r", by, account.name, before, person.subject)
        self.write({"bound": len(pairs)})

    def _pair(self, place: int, one: Any) -> tuple[Account, Subject]:
        if not isinstance(one, dict) or not isinstance(one.get("name"), str):
            raise web.HTTPError(HTTPStatus.BAD_REQUEST, f"accounts[{place}] has to be an object with name and subject.")
        return self.account(one["name"]), self.subject(one.get("subject"), one.get("issuer"))


class HandoverApi(_ForAdministrators, APIHandler):
    """Gives an account to another person."""

    async def post(self, name: str) -> None:
        """``{"subject", "issuer", "keep_home", "keep_jobs"}``; subject null: to whoever signs in next."""
        self.check_right()
        await self.authenticator.accounts.ready()
        asked = self.get_json_body()
        if not isinstance(asked, dict) or "subject" not in asked:
            message = "Send a JSON object with subject; null hands the account to whoever signs in next."
            raise web.HTTPError(HTTPStatus.BAD_REQUEST, message)
        to = None if asked["subject"] is None else self.subject(asked["subject"], asked.get("issuer"))
        keeps = {field: asked.get(field, False) for field in ("keep_home", "keep_jobs")}
        for field, value in keeps.items():
            if not isinstance(value, bool):
                raise web.HTTPError(HTTPStatus.BAD_REQUEST, f"{field} has to be true or false.")
        self.write(_json(await self.hand_over(name, to, **keeps)))


class AccountsPage(_ForAdministrators):
    """The accounts, with a form that hands one over."""

    @web.authenticated
    async def get(self) -> None:
        """Sorted by name."""
        self.check_right()
        await self.authenticator.accounts.ready()
        self.set_header("Cache-Control", "no-store")
        html = await self.render_template(
            "aifactory_accounts.html",
            accounts=self.authenticator.accounts.all(),
            issuer=self.authenticator.issuer,
            asked=self.get_argument("account", ""),
        )
        self.finish(html)


class HandoverForm(_ForAdministrators):
    """The page's form."""

    @web.authenticated
    async def post(self) -> None:
        """Back to the page. The name is typed, so that a slip hands nothing over."""
        self.check_right()
        await self.authenticator.accounts.ready()
        subject = self.get_body_argument("subject", "").strip()
        to = self.subject(subject, self.get_body_argument("issuer", "").strip()) if subject else None
        keeps = {field: self.get_body_argument(field, "") == "yes" for field in ("keep_home", "keep_jobs")}
        await self.hand_over(self.get_body_argument("name", "").strip(), to, **keeps)
        self.redirect(url_path_join(self.hub.base_url, "aifactory/accounts"))


def _json(account: Account) -> dict[str, Any]:
    person = account.subject
    return {
        "name": account.name,
        "issuer": None if person is None else person.issuer,
        "subject": None if person is None else person.subject,
        "bound_at": account.bound_at,
        "handed_over_at": account.handed_over_at,
        "handovers": account.generation,
        "home": account.home,
        "ending": account.ending,
    }
