"""What people and teams are told: gathered, by real mail and to webhooks, once, and again after trouble."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, get_args

import pytest
from tornado.httpserver import HTTPServer
from tornado.testing import bind_unused_port
from tornado.web import Application, RequestHandler

from aifactory_hub.admission.in_process import InProcessAdmission
from aifactory_hub.domain.approvals import ApprovalState
from aifactory_hub.domain.channels import Channel, Level, MessageFormat
from aifactory_hub.domain.notifications import Choice, Kind
from aifactory_hub.domain.verdicts import Need, Question, Target, Verb
from aifactory_hub.engines.memory import MemoryEngine
from aifactory_hub.mail.smtp import SmtpServer
from aifactory_hub.registry.model import NotificationsConfig, Registry
from aifactory_hub.service.approvals import Desk
from aifactory_hub.service.notification_types import KindName
from aifactory_hub.service.request_types import Submission
from aifactory_hub.service.submissions import SubmitResult
from aifactory_hub.settings import Secret
from aifactory_hub.store.deliveries import MAIL
from aifactory_hub.store.notifications import CHANNELS
from aifactory_hub.store.owners import Owners

from ..support.fake_hub import FakeHub, scopes_for
from ..support.job_service import PREFIX, Clock, RunningService, make_registry, running_service
from ..support.mail_server import TestMailServer, mail_server
from .test_sessions import browser, sign_in

PAGES = "https://hub.example.org/services/aifactory"


@dataclass
class Site:
    """A service with a mail server, which may be started again on the same disk."""

    path: Path
    hub: FakeHub
    mail: TestMailServer
    registry: Registry
    clock: Clock = field(default_factory=Clock)
    with_mail: bool = True
    password: str | None = None
    engine: MemoryEngine = field(default_factory=MemoryEngine)
    ending: AsyncExitStack = field(default_factory=AsyncExitStack)
    admission: InProcessAdmission = field(init=False)
    service: RunningService = field(init=False)

    def __post_init__(self) -> None:
        self.admission = InProcessAdmission(self.registry.tenants)

    async def start(self) -> RunningService:
        """Or start again; what was in memory is gone."""
        await self.ending.aclose()
        self.ending = AsyncExitStack()
        settings = self.mail.settings
        settings = settings if self.password is None else replace(settings, password=Secret(self.password))
        running = running_service(
            self.path,
            hub=self.hub,
            registry=lambda url: self.registry,
            admission=self.admission,
            engine=self.engine,
            clock=self.clock,
            reconciling=False,
            mail=SmtpServer(settings) if self.with_mail else None,
        )
        self.service = await self.ending.enter_async_context(running)
        return self.service

    async def tick(self) -> None:
        """What the service does by the clock about notifications, once."""
        calls = self.service.context.periodic_tasks.calls
        for name in ("notifications", "mail", "messages"):
            await calls[name][1]()

    async def later(self, seconds: float) -> None:
        self.clock.pass_by(seconds)
        await self.tick()

    async def ended(self, key: str, code: int = 1, **asked: Any) -> str:
        """A job of ada's that ended with this code."""
        owner = asked.pop("owner", "ada")
        request = {"command": "python train.py", "profile": "cpu-small", "key": key, "name": key, **asked}
        taken = await self.service.context.submissions.submit(owner, "nlp", Submission(**request))
        assert isinstance(taken, SubmitResult), taken
        await self.service.reconciler.settle()
        self.engine.end("nlp", taken.job.id, code)
        await self.service.reconciler.settle()
        return taken.job.id


@pytest.fixture
async def site(tmp_path: Path, hub: FakeHub) -> AsyncIterator[Site]:
    registry = make_registry()
    addresses = replace(registry.addresses, public="https://hub.example.org/")
    registry = replace(registry, addresses=addresses, jobs=replace(registry.jobs, webhook_hosts=("localhost",)))
    tenants = {name: replace(tenant, profiles=("cpu-small",)) for name, tenant in registry.tenants.items()}
    hub.addresses |= {"ada": "ada@example.org", "grace": "grace@example.org", "bob": "bob@example.org"}
    async with mail_server(tmp_path) as mail:
        site = Site(tmp_path / "service", hub, mail, replace(registry, tenants=tenants))
        await site.start()
        await site.tick()
        try:
            yield site
        finally:
            await site.ending.aclose()


def deliveries(site: Site, *, mail: bool = True) -> list[Any]:
    return site.service.context.messenger.deliveries.due(now=float("inf"), limit=100, mail=mail)


async def test_a_failed_job_is_told_its_owner_once(site: Site) -> None:
    job = await site.ended("train")
    await site.later(59)
    assert site.mail.got == []
    await site.later(2)
    await site.later(3600)
    (mail,) = site.mail.got
    assert (mail["To"], mail["Subject"]) == ("ada@example.org", "[AIFactory Hub] train failed in team nlp")
    assert f"{PAGES}/jobs/{job}" in site.mail.texts[0]
    assert deliveries(site) == []


async def test_many_ends_are_one_mail_with_failures_first(site: Site) -> None:
    site.service.context.notifications.choose("ada", Choice(Level.ALL), now=0)
    for number in range(4):
        await site.ended(f"good-{number}", 0)
    await site.ended("bad", 3)
    await site.later(61)
    (text,) = site.mail.texts
    assert site.mail.got[0]["Subject"] == "[AIFactory Hub] 1 job failed, 4 jobs succeeded in team nlp"
    assert text.index("bad") < text.index("good-0")


@pytest.mark.parametrize(
    ("level", "told"), [(None, ["bad"]), ("off", []), ("failures", ["bad"]), ("all", ["bad", "good"])]
)
async def test_everybody_chooses_what_they_are_told(site: Site, level: str | None, told: list[str]) -> None:
    async with site.service.http("ada") as ada:
        answer = (await ada.put("/notifications", json={"level": level})).json()
    kinds, channels = answer.pop("kinds"), answer.pop("channels")
    succeeded = {"kind": "job.succeeded", "words": "a job of mine succeeded", "told": level == "all", "chosen": None}
    assert (len(kinds), kinds[-1], channels) == (len(Kind), succeeded, [])
    assert answer == {
        "level": level or "failures",
        "chosen": level,
        "default": "failures",
        "mail": True,
        "address": "ada@example.org",
        "why_not": None,
    }
    await site.ended("good", 0)
    await site.ended("bad", 3)
    await site.later(61)
    await site.later(61)
    assert [name for name in ("bad", "good") if any(f"- {name}" in text for text in site.mail.texts)] == told
    assert len(site.mail.got) == (1 if told else 0)


async def test_the_site_says_what_those_get_who_chose_nothing(site: Site) -> None:
    site.registry = replace(site.registry, notifications=NotificationsConfig(Level.OFF))
    await site.start()
    await site.ended("bad", 3)
    await site.later(61)
    assert site.mail.got == []
    async with site.service.http("ada") as ada:
        answer = (await ada.get("/notifications")).json()
    assert (answer["level"], answer["chosen"], answer["default"]) == ("off", None, "off")


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"level": "some"},
        {"level": 1},
        {"level": "all", "address": "eve@example.org"},
        {"level": "all", "kinds": {"job.lost": True}},
        {"level": "all", "kinds": {"job.held": "no"}},
        {"level": "all", "kinds": ["job.held"]},
        [],
    ],
)
async def test_a_bad_choice_is_refused(site: Site, body: Any) -> None:
    async with site.service.http("ada") as ada:
        answer = await ada.put("/notifications", json=body)
    assert answer.status_code == 400
    assert site.service.context.notifications.choice("ada") == Choice()


async def test_kinds_are_chosen_one_by_one_and_a_level_takes_that_back(site: Site) -> None:
    async with site.service.http("ada") as ada:
        chosen = {"job.failed": False, "job.succeeded": True, "job.held": True}
        answer = (await ada.put("/notifications", json={"level": None, "kinds": chosen})).json()
        kinds = {each["kind"]: (each["told"], each["chosen"]) for each in answer["kinds"]}
        # What the level says anyway is not kept: it would outlive a change of the site's default.
        assert (kinds["job.failed"], kinds["job.succeeded"], kinds["job.held"]) == (
            (False, False),
            (True, True),
            (True, None),
        )
        await site.ended("good", 0)
        await site.ended("bad", 3)
        await site.later(61)
        assert [mail["Subject"] for mail in site.mail.got] == ["[AIFactory Hub] good succeeded in team nlp"]
        answer = (await ada.put("/notifications", json={"level": None})).json()
    assert {each["chosen"] for each in answer["kinds"]} == {None}


def test_the_kinds_of_requests_are_all_that_there_are() -> None:
    assert list(get_args(KindName)) == [kind.value for kind in Kind]


@pytest.mark.parametrize(
    ("known", "said"),
    [
        ({"mail_unverified": True}, "does not say that it is verified"),
        ({}, "gives no verified address of yours"),
        ({"mail": "ada@example.org", "mail_unverified": True}, None),
    ],
)
async def test_who_can_get_no_mail_reads_why(site: Site, known: dict[str, Any], said: str | None) -> None:
    member = {"standing": "known", "tenants": {"nlp": "member"}, "resolved_at": 0, "mail": None}
    site.hub.memberships["ada"] = {**member, **known}
    async with site.service.http("ada") as ada:
        answer = (await ada.get("/notifications")).json()
    assert answer["address"] == known.get("mail")
    assert (answer["why_not"] is None) if said is None else (said in answer["why_not"])


async def test_who_administers_a_team_reads_how_its_chat_is_set_and_never_its_address(site: Site) -> None:
    async with site.service.http("grace") as grace, site.service.http("ada") as ada:
        assert (await grace.get("/notifications")).json()["channels"] == [
            {"tenant": "nlp", "format": None, "level": None}
        ]
        await with_channel(site, Channel("https://chat.example.org/secret", MessageFormat.SLACK, Level.ALL))
    async with site.service.http("grace") as grace, site.service.http("ada") as ada:
        answer = await grace.get("/notifications")
        assert answer.json()["channels"] == [{"tenant": "nlp", "format": "slack", "level": "all"}]
        assert "secret" not in answer.text
        assert (await ada.get("/notifications")).json()["channels"] == []


async def test_a_mail_leads_to_the_page_where_one_chooses(site: Site) -> None:
    await site.ended("train")
    await site.later(61)
    assert f"Choose what you get: {PAGES}/notifications" in site.mail.texts[0]


async def test_a_token_that_only_reads_chooses_nothing_and_an_approver_chooses(site: Site, hub: FakeHub) -> None:
    hub.add("sam", "sam", scopes_for())
    hub.memberships["sam"] = {"standing": "known", "tenants": {}, "approves": ["security"], "resolved_at": 0}
    for token, status in (("reader", 403), ("sam", 200)):
        async with site.service.http(token) as http:
            assert (await http.put("/notifications", json={"level": "off"})).status_code == status
    assert site.service.context.notifications.choices(["reader", "sam"]) == {"sam": Choice(Level.OFF)}


async def test_who_is_in_no_team_chooses_in_a_browser_and_not_with_a_token(site: Site, hub: FakeHub) -> None:
    hub.add("newcomer", "newcomer", scopes_for())
    async with site.service.http("newcomer") as http:
        assert (await http.put("/notifications", json={"level": "off"})).status_code == 403
    # Cookies of an https site are not sent to this one.
    site.registry = replace(site.registry, addresses=replace(site.registry.addresses, public=None))
    await site.start()
    async with browser(site.service) as http:
        proof = await sign_in(http, "newcomer")
        answer = await http.put(f"{PREFIX}api/v1/notifications", json={"level": "off"}, headers=proof)
    assert (answer.status_code, answer.json()["level"]) == (200, "off")


async def test_a_sweep_is_one_mail_when_it_is_over(site: Site) -> None:
    site.service.context.notifications.choose("ada", Choice(Level.ALL), now=0)
    submit = site.service.context.submissions.submit
    jobs = []
    for number in range(3):
        asked: Any = {
            "command": "true",
            "profile": "cpu-small",
            "key": f"k{number}",
            "name": f"s-{number}",
            "sweep": "s1",
        }
        taken = await submit("ada", "nlp", Submission(**asked))
        assert isinstance(taken, SubmitResult)
        jobs.append(taken.job.id)
    await site.service.reconciler.settle()
    for number, job in enumerate(jobs):
        await site.later(200)
        assert site.mail.got == []
        site.engine.end("nlp", job, number % 2)
        await site.service.reconciler.settle()
    await site.tick()
    assert [mail["Subject"] for mail in site.mail.got] == ["[AIFactory Hub] 1 job failed, 2 jobs succeeded in team nlp"]


async def test_a_restart_in_between_sends_once(site: Site) -> None:
    await site.ended("train")
    await site.start()
    await site.later(61)
    assert len(site.mail.got) == 1
    await site.start()
    await site.later(61)
    assert len(site.mail.got) == 1


async def test_a_mail_that_was_filed_is_sent_by_the_next_process(site: Site) -> None:
    await site.ended("train")
    site.clock.pass_by(61)
    await site.service.context.periodic_tasks.calls["notifications"][1]()
    (filed,) = deliveries(site)
    assert filed.channel == MAIL
    assert filed.url == "ada"
    assert "example.org" not in json.dumps({"url": filed.url, "subject": filed.body["mail"]["subject"]})
    await site.start()
    await site.tick()
    (mail,) = site.mail.got
    assert mail["Message-ID"] == f"<{filed.id}@example.org>"


async def test_a_server_that_says_later_is_asked_again_and_holds_up_nobody(site: Site) -> None:
    site.mail.answer = lambda to: "450 4.2.0 busy" if to.startswith("ada") else None
    await site.ended("train")
    await site.ended("other", owner="bob")
    await site.later(61)
    assert [mail["To"] for mail in site.mail.got] == ["bob@example.org"]
    (waiting,) = deliveries(site)
    assert (waiting.tries, waiting.problem) == (1, "the mail server answered 450: 4.2.0 busy")
    await site.later(29)
    assert deliveries(site)[0].tries == 1
    site.mail.answer = lambda to: None
    await site.later(2)
    assert [mail["To"] for mail in site.mail.got] == ["bob@example.org", "ada@example.org"]


async def test_what_a_server_will_never_take_is_given_up_with_the_reason(site: Site) -> None:
    site.mail.answer = lambda to: "550 5.1.1 no such user"
    await site.ended("train")
    await site.later(61)
    assert deliveries(site) == []
    state = site.service.context.messenger.deliveries.state(since=0, mail=True)
    assert (state.waiting, state.given_up, state.problem) == (0, 1, "the mail server answered 550: 5.1.1 no such user")
    assert site.service.context.messenger.deliveries.state(since=0).given_up == 0


async def test_a_wrong_password_loses_nothing(site: Site) -> None:
    site.password = "wrong"
    await site.start()
    await site.ended("train")
    await site.later(61)
    (waiting,) = deliveries(site)
    assert "refused the sign-in" in (waiting.problem or "")
    assert "wrong" not in (waiting.problem or "")
    site.password = None
    await site.start()
    await site.later(31)
    assert len(site.mail.got) == 1


async def test_a_hub_that_is_away_only_delays(site: Site) -> None:
    await site.ended("train")
    site.hub.memberships_status = 503
    await site.later(61)
    (waiting,) = deliveries(site)
    assert waiting.tries == 0
    site.hub.memberships_status = 200
    await site.tick()
    assert len(site.mail.got) == 1


async def test_somebody_without_an_address_gets_nothing_and_it_is_said(site: Site) -> None:
    del site.hub.addresses["ada"]
    await site.ended("train")
    for _ in range(8):
        await site.later(600)
    assert (site.mail.got, deliveries(site)) == ([], [])
    state = site.service.context.messenger.deliveries.state(since=0, mail=True)
    assert (state.given_up, state.problem) == (1, "the identity provider gives no verified address of this person")


async def test_without_a_mail_server_nothing_is_filed(site: Site) -> None:
    await site.ended("before")
    await site.tick()
    site.with_mail = False
    await site.start()
    await site.tick()
    await site.ended("train")
    await site.later(61)
    db = site.service.context.jobs.db
    with db.connect() as connection:
        rows = connection.exec_driver_sql("select count(*) from notifications").scalar()
        consumers = connection.exec_driver_sql("select count(*) from consumers where name = 'mail'").scalar()
    assert (rows, consumers, deliveries(site)) == (0, 0, [])
    async with site.service.http("ada") as ada:
        answer = (await ada.get("/notifications")).json()
    assert (answer["mail"], answer["address"]) == (False, None)
    # What ended meanwhile is not told by a server that comes later.
    site.with_mail = True
    await site.start()
    await site.tick()
    await site.later(61)
    assert site.mail.got == []


def held() -> Question:
    return Question(Verb.PROMOTE, Target.MODEL, "nlp", "ada", "fraud", "d1", title="fraud@prod")


async def test_an_approval_that_waits_is_told_those_who_may_vote(site: Site) -> None:
    site.hub.memberships["sam"] = {"standing": "known", "tenants": {}, "approves": ["security"], "resolved_at": 0}
    site.hub.addresses["sam"] = "sam@example.org"
    desk = site.service.context.approvals
    await desk.granted(held(), [Need("admin", 1), Need("security", 1)])
    await site.tick()
    await site.later(61)
    assert sorted(mail["To"] for mail in site.mail.got) == ["grace@example.org", "sam@example.org"]
    assert {mail["Subject"] for mail in site.mail.got} == {"[AIFactory Hub] fraud@prod waits for votes in team nlp"}
    assert f"{PAGES}/approvals/a" in site.mail.texts[0]


async def test_a_vote_for_an_emergency_is_told_all_whom_it_left_out(site: Site) -> None:
    """Those who could have voted, who asked, who has a part in it: neither who voted nor a stranger of that name."""
    for name, approves in (("sam", ["security"]), ("olga", ["on-call"])):
        site.hub.memberships[name] = {"standing": "known", "tenants": {}, "approves": approves, "resolved_at": 0}
    site.hub.memberships["eve"] = {"standing": "known", "tenants": {"vision": "member"}, "resolved_at": 0}
    site.hub.addresses |= {name: f"{name}@example.org" for name in ("sam", "olga", "eve")}
    desk = site.service.context.approvals
    assert isinstance(desk, Desk)
    await desk.granted(held(), [Need("admin", 1), Need("security", 1)], excluded=("bob", "eve", "nobody"))
    (approval,) = desk.store.waiting(without="job")
    await site.later(61)
    site.mail.got.clear()
    site.mail.texts.clear()
    now = site.clock()
    desk.store.vote(approval, "olga", yes=True, comment="the site is down", emergency=True, now=now)
    desk.store.end(approval, ApprovalState.USED, "let go", now=now)
    await site.tick()
    await site.later(61)
    told = sorted(mail["To"].partition("@")[0] for mail in site.mail.got)
    assert told == ["ada", "bob", "grace", "sam"]
    assert {mail["Subject"] for mail in site.mail.got} == {
        "[AIFactory Hub] fraud@prod was approved in an emergency in team nlp"
    }
    assert "olga approved it alone, in an emergency: the site is down" in site.mail.texts[0]


async def test_an_approval_that_ended_in_time_is_told_nobody_who_would_vote(site: Site) -> None:
    context = site.service.context
    await context.approvals.granted(held(), [Need("admin", 1)])
    await site.tick()
    (approval,) = context.approvals.store.waiting(without="job")  # type: ignore[attr-defined]
    context.approvals.store.end(approval, ApprovalState.REFUSED, "refused by grace", now=site.clock())  # type: ignore[attr-defined]
    await site.later(61)
    assert [mail["To"] for mail in site.mail.got] == ["ada@example.org"]
    assert "refused by grace" in site.mail.texts[0]


async def test_while_the_hub_is_away_who_may_vote_is_told_later(site: Site) -> None:
    site.hub.memberships_status = 503
    await site.service.context.approvals.granted(held(), [Need("admin", 1)])
    await site.later(61)
    assert site.mail.got == []
    site.hub.memberships_status = 200
    await site.tick()
    await site.tick()
    assert [mail["To"] for mail in site.mail.got] == ["grace@example.org"]


async def test_an_account_that_was_handed_over_is_not_told_of_the_former_owner(site: Site) -> None:
    context = site.service.context
    context.notifications.choose("ada", Choice(Level.ALL), now=0)
    await site.ended("first")
    site.clock.pass_by(61)
    await context.periodic_tasks.calls["notifications"][1]()
    await site.ended("second")
    await context.periodic_tasks.calls["notifications"][1]()
    assert len(deliveries(site)) == 1
    Owners(context.jobs.db, context.files).retire("ada", 1, now=site.clock())
    await site.later(61)
    await site.later(61)
    assert site.mail.got == []
    assert context.notifications.choice("ada") == Choice()


async def test_a_handover_that_is_heard_with_the_address_sends_the_new_owner_nothing(site: Site) -> None:
    await site.ended("train")
    site.hub.addresses["ada"] = "another-ada@example.org"
    site.hub.memberships["ada"] = {"standing": "known", "tenants": {"nlp": "member"}, "generation": 1}
    await site.later(61)
    await site.later(61)
    assert (site.mail.got, deliveries(site)) == ([], [])


@dataclass
class Chat:
    """Keeps what was posted."""

    url: str
    status: int = 200
    got: list[dict[str, Any]] = field(default_factory=list)


@pytest.fixture
async def chat() -> AsyncIterator[Chat]:
    listening, port = bind_unused_port()
    chat = Chat(f"http://localhost:{port}/chat")

    class Hook(RequestHandler):
        def post(self) -> None:
            chat.got.append(json.loads(self.request.body))
            self.set_status(chat.status)

    server = HTTPServer(Application([("/chat", Hook)]))
    server.add_socket(listening)
    yield chat
    server.stop()
    await server.close_all_connections()


async def with_channel(site: Site, channel: Channel | None) -> None:
    nlp = replace(site.registry.tenants["nlp"], channel=channel)
    site.registry = replace(site.registry, tenants={**site.registry.tenants, "nlp": nlp})
    await site.start()
    await site.tick()


@pytest.mark.parametrize("form", list(MessageFormat))
async def test_a_team_s_channel_is_told_in_its_chat_s_form(site: Site, chat: Chat, form: MessageFormat) -> None:
    site.with_mail = False
    await with_channel(site, Channel(chat.url, form))
    await site.ended("bad", 3)
    await site.ended("good", 0)
    await site.later(61)
    await site.later(61)
    (posted,) = chat.got
    text = json.dumps(posted)
    assert "bad of ada" in text
    assert "good" not in text
    assert (
        set(posted)
        == {
            MessageFormat.STANDARD: {"event", "at", "team"},
            MessageFormat.SLACK: {"text", "unfurl_links", "unfurl_media"},
            MessageFormat.TEAMS: {"type", "attachments"},
        }[form]
    )
    assert site.mail.got == []


async def test_a_chat_that_refuses_is_told_again(site: Site, chat: Chat) -> None:
    chat.status = 429
    await with_channel(site, Channel(chat.url, MessageFormat.SLACK, Level.ALL))
    await site.ended("good", 0)
    await site.later(61)
    (waiting,) = deliveries(site, mail=False)
    assert waiting.problem == "the receiver answered 429"
    chat.status = 200
    await site.later(10)
    assert len(chat.got) == 2
    assert deliveries(site, mail=False) == []


async def test_the_rules_of_addresses_hold_for_channels(site: Site) -> None:
    await with_channel(site, Channel("http://169.254.169.254/latest", MessageFormat.SLACK))
    await site.ended("bad", 3)
    await site.later(61)
    (waiting,) = deliveries(site, mail=False)
    assert (waiting.problem or "").startswith("no message may go there")


async def test_a_channel_that_is_taken_away_is_told_nothing(site: Site, chat: Chat) -> None:
    await with_channel(site, Channel(chat.url))
    await site.ended("bad", 3)
    await site.tick()
    await with_channel(site, None)
    await site.later(61)
    assert chat.got == []
    with site.service.context.jobs.db.connect() as connection:
        names = set(connection.exec_driver_sql("select name from consumers").scalars())
    assert CHANNELS not in names
    assert MAIL in names
