"""An answer other than success as a page, for people: what is wrong, and where to go."""

from __future__ import annotations

from html import escape

from ..errors import ServiceError

_TITLES = {
    400: "This did not work",
    401: "You are not signed in",
    403: "You may not see this",
    404: "There is nothing here",
    410: "This is not kept any more",
    503: "This does not work now",
}
_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title} · Jobs</title>
<style>
:root {{ color-scheme: light dark; }}
body {{ font: 1rem/1.5 system-ui, sans-serif; max-width: 40rem; margin: 15vh auto 0; padding: 0 1rem;
  background: light-dark(#fff, #16191d); color: light-dark(#1c2733, #e4e8ec); overflow-wrap: anywhere; }}
h1 {{ font-size: 1.5rem; }}
a {{ color: light-dark(#0d6573, #6bc4d2); }}
</style>
<main>
<h1>{title}</h1>
<p>{detail}</p>
<p><a href="{service}">{jobs}</a> · <a href="{hub}home">Home</a></p>
</main>
</html>
"""


def error_page(error: ServiceError, *, service: str, hub: str) -> str:
    """The page; ``service`` and ``hub`` are where the Jobs page and the hub's pages begin, as paths."""
    return _PAGE.format(
        title=_TITLES.get(error.status, "This did not work"),
        detail=escape(error.detail),
        service=escape(service),
        hub=escape(hub),
        jobs="Sign in" if error.status == 401 else "Jobs",
    )
