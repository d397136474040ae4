"""Output and progress on their way while a job runs."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from typing import Any

from aifactory_hub.runner.reporter import NotDelivered, Refused
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
    assert time.monotonic() - began < 5
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


def values(service: Service, name: str) -> list[Any]:
    return [value for said in service.said for value in said.get("series", {}).get(name, {}).get("values", [])]


def test_what_is_reported_often_is_sent_seldom_and_whole_at_the_end() -> None:
    service = Service()
    sending = shipper(service)
    sending.progress({"metrics": {"i": 0.0}})
    until(lambda: service.said)
    for i in range(1, 20):
        sending.progress({"metrics": {"i": float(i)}, "progress": i})
    sending.add(b"printed")  # this is sent meanwhile, and takes no word along
    until(lambda: service.log)
    assert len(service.said) == 1
    began = time.monotonic()
    sending.close(10)
    assert time.monotonic() - began < 3  # the end does not wait for its turn
    assert values(service, "i") == [float(i) for i in range(20)]
    assert (len(service.said), service.said[-1]["metrics"], service.said[-1]["progress"]) == (2, {"i": 19.0}, 19)


def test_what_waits_is_sent_when_its_time_has_come() -> None:
    service = Service()
    sending = shipper(service, every=0.05)
    for i in range(3):
        sending.progress({"metrics": {"i": float(i)}})
        until(lambda: values(service, "i")[-1:] == [float(i)])  # noqa: B023 - called before the next
    sending.close(10)


def test_each_name_keeps_its_last_value_its_count_and_its_step() -> None:
    service = Service()
    sending = shipper(service)
    sending.progress({"metrics": {"loss": 0.5}, "steps": {"loss": 100}})
    sending.progress({"metrics": {"loss": float("nan"), "lr": 1.0}})
    sending.progress({"metrics": {"accuracy": 0.9}})
    sending.close(10)
    said = {name: {**old, "ages": None} for one in service.said for name, old in one["series"].items()}
    assert service.said[-1]["metrics"] == {"loss": "NaN", "lr": 1.0, "accuracy": 0.9}
    assert said["accuracy"] == {"numbers": [0], "steps": [0], "ages": None, "values": [0.9]}
    assert [n for one in service.said for n in one["series"].get("loss", {"steps": []})["steps"]] == [100, 101]


def test_a_service_that_is_away_for_long_gets_fewer_points_with_their_own_numbers() -> None:
    service = Service()
    service.away.set()
    sending = shipper(service)
    for i in range(10_000):
        sending.progress({"metrics": {"i": float(i)}})
    service.away.clear()
    sending.close(10)
    numbers = [n for one in service.said for n in one["series"]["i"]["numbers"]]
    assert (numbers[0], numbers[-1]) == (0, 9_999)
    assert numbers == sorted(set(numbers)) and 500 <= len(numbers) <= 2_000
    assert values(service, "i") == [float(n) for n in numbers]


def test_names_beyond_the_limit_are_left_out_and_that_is_known() -> None:
    service = Service()
    sending = shipper(service)
    sending.progress({"metrics": {f"m{n}": 1.0 for n in range(100)}})
    assert not sending.left_out
    sending.progress({"metrics": {"one more": 1.0}})
    sending.close(10)
    assert sending.left_out
    assert len(service.said[-1]["metrics"]) == 100


def test_a_word_that_is_refused_does_not_hold_up_the_log() -> None:
    class Strict(Service):
        def post_progress(self, said: Mapping[str, Any]) -> None:
            raise Refused("the service answered 400")

    service = Strict()
    sending = shipper(service)
    sending.progress({"progress": 1.0})
    sending.add(b"printed")
    until(lambda: bytes(service.log) == b"printed")
    sending.close(10)
