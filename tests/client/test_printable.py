"""What others wrote can't do anything to the terminal, card or table in which it is shown."""

from __future__ import annotations

import io
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aifactory_hub.client.errors import JobFailed, Refused, RemoteError
from aifactory_hub.client.job import Job
from aifactory_hub.client.job_display import job_html
from aifactory_hub.client.job_list import JobTable
from aifactory_hub.client.printable import RESET, TerminalFilter, line, lines, print_output

HOSTILE = "a\x1b[2J\x9b31m\u202egnp.exe\u2028b\x9d0;title\x9c\r\x08\u200b\ufeff\U000e0041c"
UNSAFE = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]")
COLOUR = re.compile(r"\x1b\[[0-9;:]*m")


def test_a_line_shows_what_does_not_print() -> None:
    assert line("a\x9b31m\u202e\u2028\n\tb\U000e0041") == r"a\x9b31m\u202e\u2028\x0a\x09b\U000e0041"
    assert line("Größe 漢字 🙂 é") == "Größe 漢字 🙂 é"


@given(st.text())
def test_nothing_unsafe_is_left_in_a_line(text: str) -> None:
    assert not UNSAFE.search(line(text))
    assert not UNSAFE.search(lines(text).replace("\n", "").replace("\t", ""))


def filtered(*pieces: str) -> str:
    shown = TerminalFilter()
    return "".join([*map(shown.feed, pieces), shown.end()])


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("\x1b[31mred\x1b[0m\n", "\x1b[31mred\x1b[0m\n" + RESET),
        ("\x1b[38;5;8mgrey", "\x1b[38;5;8mgrey" + RESET),
        ("50%\r100%\n", "50%\r100%\n"),
        ("a\x1b[2J\x1b[Hb\x1b[10;10H\x1b[?1049hc", "abc"),
        ("a\x1b]0;title\x07b\x1b]52;c;ZXZpbA==\x1b\\c", "abc"),
        ("a\x1b]8;;https://evil.example\x1b\\link\x1b]8;;\x1b\\", "alink"),
        ("a\x1bPq#0\x1b\\b\x1b_x\x1b\\c", "abc"),
        ("a\x1bcb\x1b7c\x1b(0d", "abcd"),
        ("a\x9b31mb\x9d0;t\x9cc", "abc"),
        ("1/9\b\b\b2/9\x07", "1/9\b\b\b2/9\\x07"),
        ("\u202eabc\u2028", r"\u202eabc\u2028"),
        ("a\x1b[31;1Hb", "ab"),
        ("a\x1b[>4;2mb", "ab"),
    ],
)
def test_a_terminal_gets_colours_and_nothing_else(text: str, wanted: str) -> None:
    assert filtered(text) == wanted


@given(st.text(alphabet="\x1b[]0;m31Hab\x07\\\x9b\x9d\x9c\n\rP(", max_size=40), st.data())
def test_pieces_make_no_difference(text: str, data: Any) -> None:
    cut = data.draw(st.integers(0, len(text)))
    assert filtered(text[:cut], text[cut:]) == filtered(text)


@given(st.text(alphabet=st.one_of(st.sampled_from("\x1b[]0;m31H\x07\\\x9b\x9d\x9c"), st.characters()), max_size=60))
def test_nothing_but_colours_is_left(text: str) -> None:
    assert not UNSAFE.search(COLOUR.sub("", filtered(text)).translate(dict.fromkeys(map(ord, "\b\n\r\t"))))


def test_a_sequence_that_never_ends_hides_nothing_for_ever() -> None:
    shown = TerminalFilter()
    shown.feed("before\x1b]0;")
    told = "".join(shown.feed("y" * 1000) for _ in range(10))
    assert told.count("y") == 10_000


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_output_is_raw_into_a_pipe_and_filtered_to_a_terminal() -> None:
    printed = ["\x1b[32mok\x1b[0m \x1b[2J", "\x9b2Jend\n"]
    pipe, terminal = io.StringIO(), Terminal()
    assert list(print_output(printed, pipe)) == printed
    assert list(print_output(printed, terminal)) == printed
    assert pipe.getvalue() == "".join(printed)
    assert terminal.getvalue() == f"\x1b[32mok\x1b[0m end\n{RESET}"


def hostile_job() -> Job:
    told: dict[str, Any] = {
        "id": "jabcde",
        "name": HOSTILE,
        "tenant": "nlp",
        "owner": HOSTILE,
        "profile": "cpu",
        "state": "FAILED",
        "final": True,
        "reason": HOSTILE,
        "exit_code": 1,
        "position": None,
        "progress": {"percent": 50, "metrics": {HOSTILE: 1.0}},
        "sweep_parameters": {HOSTILE: HOSTILE},
        "cost": None,
    }
    return Job(None, told)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "shown",
    [
        lambda: str(hostile_job()),
        lambda: repr(hostile_job()),
        lambda: job_html(hostile_job()),
        lambda: JobTable([hostile_job()])._repr_html_(),
        lambda: str(Refused(400, {"detail": HOSTILE})),
        lambda: str(JobFailed("j", "FAILED", HOSTILE, 1, HOSTILE)),
        lambda: str(RemoteError(HOSTILE, HOSTILE, HOSTILE)),
    ],
)
def test_all_that_shows_a_job_shows_it_printable(shown: Any) -> None:
    text = shown()
    assert not UNSAFE.search(text.replace("\n", "")), ascii(text)
    assert r"\u202e" in text
