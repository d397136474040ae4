"""What an error page says."""

from __future__ import annotations

import pytest

from aifactory_hub.domain.error_words import error_words


@pytest.mark.parametrize(
    ("status", "message", "title", "text", "details"),
    [
        (404, "", "This was not found", "There is no page at this address", ""),
        (404, None, "This was not found", "There is no page at this address", ""),
        (404, "There is no team 'x'.", "This was not found", "There is no team 'x'.", ""),
        (
            403,
            "Action is not authorized with current scopes; requires any of [admin-ui]",
            "This is not for your account",
            "Your account does not have the right",
            "requires any of [admin-ui]",
        ),
        (
            403,
            "XSRF cookie does not match POST argument",
            "This request can't be trusted",
            "Open the page again",
            "XSRF",
        ),
        (403, "This is for the hub's administrators.", "You may not do this", "for the hub's administrators", ""),
        (500, "", "The hub made a mistake", "tell an administrator", ""),
        (418, "", "This can't be done", "Go back", ""),
    ],
)
def test_an_error_page_says_what_happened_and_where_to_go(
    status: int, message: str | None, title: str, text: str, details: str
) -> None:
    words = error_words(status, message)
    assert words.title == title
    assert text in words.text
    assert details in words.details and bool(details) == bool(words.details)


def test_what_the_proxy_can_not_reach_is_a_server_or_a_page_of_the_hub() -> None:
    words = error_words(503, "", from_proxy=True)
    assert words.title == "This does not answer now"
    assert "look at Home whether it runs" in words.text
    assert error_words(404, "", from_proxy=True) == error_words(404, "")
