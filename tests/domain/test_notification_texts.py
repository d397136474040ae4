"""What messages say, in mail and in chats."""

from __future__ import annotations

import json
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from aifactory_hub.domain.channels import MessageFormat
from aifactory_hub.domain.chat_messages import message_from, message_json, posted
from aifactory_hub.domain.notification_texts import (
    CHOICES,
    NO_MAIL,
    Message,
    SiteWords,
    mail_text,
    message_of,
    one_line,
)
from aifactory_hub.domain.notifications import Audience, Kind, NoMail, Notification
from aifactory_hub.untrusted.texts import unprintable

SITE = SiteWords("GPU Hub", ZoneInfo("Europe/Berlin"), "https://hub.example.org/services/aifactory/")
AT = 1_800_000_000.0  # 2027-01-15 08:00 UTC
LONG = 300


def told(kind: Kind, title: str = "train", words: str = "", tenant: str = "nlp", at: float = AT) -> Notification:
    return Notification(Audience.PERSON, "ada", kind, tenant, title, words, at, "jobs/j1")


def test_one_thing_is_its_own_subject() -> None:
    message = message_of([told(Kind.JOB_FAILED, words="exit code 1")], SITE)
    assert message.subject == "train failed in team nlp"
    assert mail_text(message, SITE, "why you get this.") == (
        "1 job failed:\n"
        "- train in team nlp, 2027-01-15 09:00 CET\n"
        "  exit code 1\n"
        "  https://hub.example.org/services/aifactory/jobs/j1\n"
        "\n"
        "-- \n"
        "GPU Hub: why you get this.\n"
    )


def test_a_mail_has_the_times_of_its_sentences_in_the_sites_zone() -> None:
    message = message_of([told(Kind.SERVER_IDLE, words="It is stopped at 2027-01-15 08:20 UTC.")], SITE)
    assert message.lines[1].more == "It is stopped at 2027-01-15 09:20 CET."


def test_everything_that_is_told_can_be_chosen_and_every_reason_has_its_words() -> None:
    assert set(CHOICES) == set(Kind)
    assert set(NO_MAIL) == set(NoMail)


def test_many_are_one_message_with_failures_first() -> None:
    many = [told(Kind.JOB_SUCCEEDED, f"good-{n}", at=AT + n) for n in range(40)]
    message = message_of([*many, told(Kind.JOB_FAILED, "bad", tenant="vision"), told(Kind.JOB_FAILED, "worse")], SITE)
    assert message.subject == "2 jobs failed, 40 jobs succeeded"
    texts = [line.text for line in message.lines]
    assert texts[0] == "2 jobs failed"
    assert texts[1].startswith("bad in team vision,")
    assert texts[3] == "40 jobs succeeded"
    assert texts[-1] == "and 15 more"
    assert len(texts) == 1 + 2 + 1 + 25 + 1


def test_without_an_address_of_pages_there_is_no_link() -> None:
    message = message_of([told(Kind.JOB_FAILED)], SiteWords("Hub", ZoneInfo("UTC")))
    assert [line.link for line in message.lines] == [None, None]
    assert "http" not in mail_text(message, SITE, "x")


def test_a_name_stays_on_its_line() -> None:
    message = message_of([told(Kind.JOB_FAILED, "a\nBcc: eve@example.org\x00\u202e", "x\r\n\r\n- forged")], SITE)
    assert message.subject == "a Bcc: eve@example.org\\x00\\u202e failed in team nlp"
    assert [line.more for line in message.lines] == ["", "x - forged"]


@given(st.text(max_size=LONG), st.text(max_size=LONG), st.sampled_from(Kind))
def test_no_name_breaks_out_of_its_line(title: str, words: str, kind: Kind) -> None:
    message = message_of([told(kind, title, words)], SITE)
    assert unprintable(message.subject) is None
    assert len(message.subject) <= 150
    for line in message.lines:
        assert unprintable(line.text + line.more) is None
    assert len(mail_text(message, SITE, "x").splitlines()) <= 8


def test_one_line_is_cut() -> None:
    assert one_line("a b\tc\n", 10) == "a b c"
    assert one_line("x" * 20, 10) == "xxxxxxx..."


def test_what_is_kept_of_a_message_is_the_message() -> None:
    message = message_of([told(Kind.JOB_FAILED, words="exit code 1"), told(Kind.JOB_HELD)], SITE)
    assert message_from(json.loads(json.dumps(message_json(message)))) == message


def body(message: Message) -> dict[str, Any]:
    return {"event": "team.notifications", "at": "now", "team": {"tenant": "nlp", **message_json(message)}}


def test_slack_reads_no_markup_in_names() -> None:
    name = "<!channel> <https://evil.example|click> & *b*"
    found = posted(body(message_of([told(Kind.JOB_FAILED, name, "a < b")], SITE)), MessageFormat.SLACK)
    assert found["text"].splitlines()[1] == "*1 job failed*"
    assert "&lt;!channel&gt;" in found["text"]
    assert "<!channel" not in found["text"]
    assert "<https://evil" not in found["text"]
    assert "<https://hub.example.org/services/aifactory/jobs/j1|" in found["text"]
    assert found["text"].endswith(": a &lt; b")
    assert (found["unfurl_links"], found["unfurl_media"]) == (False, False)


def test_teams_gets_a_card_of_plain_runs() -> None:
    found = posted(body(message_of([told(Kind.JOB_FAILED, "[x](https://evil.example)")], SITE)), MessageFormat.TEAMS)
    (attachment,) = found["attachments"]
    assert (found["type"], attachment["contentType"]) == ("message", "application/vnd.microsoft.card.adaptive")
    rows = attachment["content"]["body"]
    assert {row["type"] for row in rows} == {"RichTextBlock"}
    run = rows[2]["inlines"][0]
    assert run["text"].startswith("[x](https://evil.example) in team nlp")
    assert run["selectAction"] == {"type": "Action.OpenUrl", "url": f"{SITE.pages}jobs/j1"}


def test_long_messages_fit_what_chats_take() -> None:
    many = [told(kind, "n" * 120, "w" * 300) for kind in Kind for _ in range(30)]
    message = message_of(many, SITE)
    slack = posted(body(message), MessageFormat.SLACK)["text"]
    assert len(slack) < 4000
    assert slack.endswith("more lines")
    teams = posted(body(message), MessageFormat.TEAMS)
    assert len(json.dumps(teams).encode()) < 28 * 1024
    assert posted(body(message), MessageFormat.STANDARD) == body(message)
