"""Output and progress on their way while a job runs."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from typing import Any

from aifactory_hub.runner.reporter import NotDelivered
from aifactory_hub.runner.shipping import Shipper


class Service:
    """Takes pieces as the service does; ``away`` makes it silent."""

    def __init__(self) -> None:
        self.away = threading.Event()
        self.log = bytearray()
        self.gaps: list[tuple[int, int]] = []
        self.said: list[Mapping[str, Any]] = []
        self.calls = 0

    def post_piece(self, offset: int, piece: bytes) -> None:
        self._answer()
        if offset > len(self.log):
            self.gaps.append((len(self.log), offset))
            self.log += b"?" * (offset - len(self.log))
        self.log[offset:] = piece

    def post_progress(self, said: Mapping[str, Any]) -> None:
        self._answer()
        self.said.append(dict(said))

    def _answer(self) -> None:
        self.calls += 1
        if self.away.is_set():
            raise NotDelivered("away")


def shipper(service: Service, **options: Any) -> Shipper:
    return Shipper(service, gather=0.01, **options)  # type: ignore[arg-type]


def until(condition: Any) -> None:
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)


def test_everything_arrives_in_order_and_once() -> None:
    service = Service()
    sending = shipper(service)
    said = b"".join(f"line {n}\n".encode() for n in range(5000))
    for at in range(0, len(said), 997):
        sending.add(said[at : at + 997])
    sending.close(10)
    assert bytes(service.log) == said
    assert service.gaps == []
    assert service.calls < 200  # bursts are sent together


def test_a_job_that_prints_much_is_not_sent_piece_by_pause() -> None:
    service = Service()
    sending = Shipper(service, gather=5.0)  # type: ignore[arg-type]
    said = bytes(range(256)) * 16 * 1024  # 4 MiB, which is 16 pieces
    sending.add(said)
    until(lambda: len(service.log) == len(said))
    sending.close(10)
    assert (bytes(service.log), service.gaps) == (said, [])


def test_a_service_that_is_away_gets_it_later_and_the_command_is_never_held_up() -> None:
    service = Service()
    service.away.set()
    sending = shipper(service, buffer=1000)
    began = time.monotonic()
    for n in range(1000):
        sending.add(f"{n:09d}\n".encode())
    assert time.monotonic() - began < 1
    until(lambda: service.calls)
    service.away.clear()
    sending.close(10)
    assert service.gaps and service.gaps[0][0] == 0
    assert service.log.endswith(b"".join(f"{n:09d}\n".encode() for n in range(900, 1000)))
    assert len(service.log) == 10_000


def test_only_the_newest_word_of_progress_is_sent() -> None:
    service = Service()
    service.away.set()
    sending = shipper(service)
    sending.progress({"progress": 10.0, "eta": 60.0})
    until(lambda: service.calls)
    sending.progress({"progress": 20.0})
    service.away.clear()
    sending.close(10)
    assert service.said == [{"progress": 20.0, "eta": 60.0}]


def test_closing_waits_no_longer_than_it_was_told_to() -> None:
    service = Service()
    service.away.set()
    sending = shipper(service)
    sending.add(b"lost")
    began = time.monotonic()
    sending.close(0.2)
    assert time.monotonic() - began < 2


def test_after_closing_in_vain_nothing_goes_on() -> None:
    service = Service()
    service.away.set()
    shipping = shipper(service)
    shipping.add(b"lost")
    shipping.close(0.2)
    until(lambda: not shipping._thread.is_alive())
    assert service.calls < 40  # one in each pause, not as many as a processor can make
