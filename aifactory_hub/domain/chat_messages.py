"""A message in the form that a team's chat takes: Slack's, Microsoft Teams', or that of Standard Webhooks. Pure.

Nothing that people named is read as markup: Slack's three special characters are written as it asks, and a card for
Teams has runs of plain text, which know no markup.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .channels import MessageFormat
from .notification_texts import Line, Message

# Slack cuts longer texts, Teams refuses messages above 28 KiB.
_LONGEST_SLACK = 3500
_MOST_TEAMS_LINES = 40
_CARD = "application/vnd.microsoft.card.adaptive"


def message_json(message: Message) -> dict[str, Any]:
    """The message as it is kept, and as a receiver of Standard Webhooks reads it."""
    lines = [
        {"text": each.text, "heading": each.heading, "more": each.more, "url": each.link} for each in message.lines
    ]
    return {"subject": message.subject, "lines": lines}


def message_from(said: Mapping[str, Any]) -> Message:
    """The message of ``message_json``. Raises KeyError or TypeError for anything else."""
    lines = tuple(Line(each["text"], each["heading"], each["more"], each["url"]) for each in said["lines"])
    return Message(said["subject"], lines)


def posted(body: Mapping[str, Any], form: MessageFormat) -> Mapping[str, Any]:
    """What is sent for the ``body`` of a delivery. Raises KeyError or TypeError for one without a message."""
    if form is MessageFormat.STANDARD:
        return body
    message = message_from(body["team"])
    return _slack(message) if form is MessageFormat.SLACK else _teams(message)


def _slack(message: Message) -> dict[str, Any]:
    lines = [_slack_text(message.subject)]
    size = len(lines[0])
    for number, each in enumerate(message.lines):
        line = _slack_line(each)
        if size + len(line) > _LONGEST_SLACK:
            lines.append(f"and {len(message.lines) - number} more lines")
            break
        lines.append(line)
        size += len(line) + 1
    return {"text": "\n".join(lines), "unfurl_links": False, "unfurl_media": False}


def _slack_line(line: Line) -> str:
    if line.heading:
        return f"*{_slack_text(line.text)}*"
    text = _slack_text(line.text)
    text = text if line.link is None else f"<{line.link}|{text.replace('|', '/')}>"
    return f"• {text}" + (f": {_slack_text(line.more)}" if line.more else "")


def _slack_text(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _teams(message: Message) -> dict[str, Any]:
    shown = message.lines[:_MOST_TEAMS_LINES]
    rows = [_row(_run(message.subject, weight="Bolder")), *(_teams_row(each) for each in shown)]
    if len(message.lines) > len(shown):
        rows.append(_row(_run(f"and {len(message.lines) - len(shown)} more lines")))
    schema = "http://adaptivecards.io/schemas/adaptive-card.json"
    card = {"$schema": schema, "type": "AdaptiveCard", "version": "1.4", "body": rows}
    return {"type": "message", "attachments": [{"contentType": _CARD, "contentUrl": None, "content": card}]}


def _teams_row(line: Line) -> dict[str, Any]:
    if line.heading:
        return _row(_run(line.text, weight="Bolder"))
    link = {} if line.link is None else {"selectAction": {"type": "Action.OpenUrl", "url": line.link}}
    more = [_run(f": {line.more}")] if line.more else []
    return _row(_run(line.text, **link), *more)


def _row(*runs: dict[str, Any]) -> dict[str, Any]:
    return {"type": "RichTextBlock", "inlines": list(runs)}


def _run(text: str, **options: Any) -> dict[str, Any]:
    return {"type": "TextRun", "text": text, **options}
