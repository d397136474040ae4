"""Functions that are called with each change."""

from __future__ import annotations

import pytest

from aifactory_hub.listeners import Listeners


def test_each_is_called_with_each_change_until_it_ends() -> None:
    listeners, first, second = Listeners[int]("numbers"), list[int](), list[int]()
    end_first = listeners.add(first.append)
    listeners.tell(1)
    end_second = listeners.add(second.append)
    listeners.tell(2)
    end_first()
    end_first()
    listeners.tell(3)
    end_second()
    listeners.tell(4)
    assert (first, second, len(listeners)) == ([1, 2], [2, 3], 0)


def test_one_that_raises_is_logged_and_silences_nobody(caplog: pytest.LogCaptureFixture) -> None:
    def broken(number: int) -> None:
        raise RuntimeError(f"not {number}")

    listeners, told = Listeners[int]("numbers"), list[int]()
    listeners.add(broken)
    listeners.add(told.append)
    listeners.tell(1)
    listeners.tell(2)
    assert told == [1, 2]
    assert caplog.text.count("a listener to numbers failed") == 2
    assert "not 1" in caplog.text


def test_one_may_end_itself_or_another_while_all_are_told() -> None:
    listeners, told = Listeners[int]("numbers"), list[int]()

    def once(number: int) -> None:
        told.append(number)
        end()

    end = listeners.add(once)
    listeners.add(told.append)
    listeners.tell(1)
    listeners.tell(2)
    assert told == [1, 1, 2]


def test_the_same_function_added_twice_is_called_twice_and_ended_one_by_one() -> None:
    listeners, told = Listeners[int]("numbers"), list[int]()
    end = listeners.add(told.append)
    listeners.add(told.append)
    listeners.tell(1)
    end()
    listeners.tell(2)
    assert told == [1, 1, 2]
