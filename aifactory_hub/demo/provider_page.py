"""The provider's page: who do you want to be?"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from .people import DemoPerson

_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Sign in to the demo</title>
<style>
:root {{ color-scheme: light dark; --line: #d5dde5; --soft: #5b6b7b; --hover: #f2f7fb; }}
@media (prefers-color-scheme: dark) {{ :root {{ --line: #3b4754; --soft: #9fb0c0; --hover: #1f2a35; }} }}
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 34rem; margin: 3rem auto; padding: 0 1rem; }}
h1 {{ font-size: 1.5rem; margin: 0 0 .25rem; }}
p {{ color: var(--soft); margin: 0 0 1rem; }}
.mark {{ background: #fff3cd; color: #4d3b00; padding: .6rem 1rem; border-radius: 6px; }}
button {{ display: block; width: 100%; margin: .5rem 0; padding: .7rem 1rem; text-align: left; font: inherit;
  color: inherit; background: none; border: 1px solid var(--line); border-radius: 8px; cursor: pointer; }}
button:hover, button:focus-visible {{ background: var(--hover); }}
small {{ display: block; color: var(--soft); }}
</style>
<p class="mark"><strong>Demo.</strong> This identity provider runs on your machine and asks for no password. What it
tells the hub is signed and checked as in production.</p>
{body}
</html>
"""
_PEOPLE = """<h1>Who are you today?</h1>
<p>Each account is in other teams. Sign out of the hub to come back here.</p>
<form method="post">
<input type="hidden" name="request" value="{request}">
{people}
</form>"""
_PERSON = """<button name="person" value="{name}"><strong>{full_name}</strong> ({name})
<small>{about}. Groups: {groups}</small></button>"""


def people_page(request_id: str, people: Sequence[DemoPerson]) -> str:
    """The page with one button for each person."""
    buttons = [
        _PERSON.format(
            name=escape(person.name),
            full_name=escape(person.full_name),
            about=escape(person.about),
            groups=escape(", ".join(person.groups) or "none"),
        )
        for person in people
    ]
    return _PAGE.format(body=_PEOPLE.format(request=escape(request_id), people="\n".join(buttons)))


def problem_page(text: str) -> str:
    """What was wrong with the request; ``text`` is HTML."""
    return _PAGE.format(body=f"<h1>This sign-in can't go on</h1>\n<p>{text}.</p>")
