"""Whether a server is used: busy, idle with what shows it, or not known with why. Pure, and by the service's clock.

Idle takes two witnesses that agree for the whole time: what the server itself says of its kernels and terminals, and
samples of its slice of a GPU. A zero of the GPU alone is no sign: after an Xid error counters read 0 while the GPU
works, a profiler takes them away, and they are looked at each 30 seconds only, so that a short run falls between.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

# Seconds after which a server that has said nothing is not known any more; it speaks once a minute.
FRESH = 180.0
# A server is stopped right after it has spoken, so many seconds at most: what began since then nobody has told.
JUST_SPOKE = 10.0
# Seconds before the time looked at in which an Xid error, or a cut of the GPU, makes its samples worth nothing.
MARGIN = 600.0
# Seconds before the time looked at from which samples count, too, so that none is missed at its edge.
EDGE = 60.0
# Of the samples that there should be, how many there have to be.
COVERAGE = 0.9
# Parts of time from which on a slice works: below is noise of the counters.
ENGINE_BUSY = DRAM_BUSY = 0.01
# Cores, as the mean of five minutes, from which on something runs that nobody told of. A Jupyter server without
# anybody takes about 0.01.
CPU_BUSY = 0.05
# Bytes of GPU memory that an empty slice shows at most.
EMPTY_SLICE = 64 * 2**20


@dataclass(frozen=True, slots=True)
class Report:
    """What a server said of itself last. Times are the server's (``last_used``) and the service's (all others).

    ``since``: from when on every report that came said "not busy" and the same ``last_used``. It is what counts: no
    clock but the service's takes part in it.
    """

    kind: str
    busy: bool
    last_used: float
    received_at: float
    since: float
    what: tuple[str, ...] = ()


def heard(before: Report | None, now: Report) -> Report:
    """``now`` after what came ``before``: how long nothing has been used."""
    same = before is not None and not before.busy and not now.busy and before.last_used == now.last_used
    return replace(now, since=before.since if same and before is not None else now.received_at)


@dataclass(frozen=True, slots=True)
class GpuSamples:
    """Samples of a pod's slices over the time looked at. None: there is no sample, which is not 0.

    ``engine`` and ``dram`` are the highest of all samples, ``memory`` bytes, ``xid`` the last error of the GPU (0: it
    says that there was none) within MARGIN more. ``disturbed`` says why the samples can't be trusted.
    """

    samples: int = 0
    expected: int = 0
    engine: float | None = None
    dram: float | None = None
    memory: int | None = None
    memory_changed: bool = False
    xid: int | None = None
    disturbed: str | None = None


@dataclass(frozen=True, slots=True)
class Watched:
    """All that is known of a server. ``running_from`` in seconds since 1970; ``cpu`` is the highest mean of five
    minutes in cores, None where nobody measures it; ``gpu`` None: nobody could be asked."""

    running_from: float
    report: Report | None
    gpu: GpuSamples | None
    cpu: float | None = None


@dataclass(frozen=True, slots=True)
class Busy:
    """It is used: ``why`` is a sentence without its end."""

    why: str


@dataclass(frozen=True, slots=True)
class Idle:
    """Nothing has used it ``since`` at least; ``evidence`` is what shows it, sentence by sentence."""

    since: float
    evidence: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Unknown:
    """Nobody can say: ``why``. Nothing follows from it."""

    why: str


Verdict = Busy | Idle | Unknown


def judge(seen: Watched, *, after: float, now: float) -> Verdict:
    """Whether the server has been used within the last ``after`` seconds.

    Any witness of use is enough for busy. Idle takes all of them, whole.
    """
    for why in _signs_of_use(seen, after, now):
        return Busy(why)
    for why in _gaps(seen, after, now):
        return Unknown(why)
    assert seen.report is not None and seen.gpu is not None  # the gaps said so
    return Idle(
        max(seen.report.since, seen.running_from, now - after), tuple(_evidence(seen, seen.report, seen.gpu, after))
    )


def may_stop(seen: Watched, verdict: Verdict, now: float) -> bool:
    """Whether the server may be stopped in this moment: it is idle, and said so just now."""
    return isinstance(verdict, Idle) and seen.report is not None and now - seen.report.received_at <= JUST_SPOKE


def _signs_of_use(seen: Watched, after: float, now: float) -> Iterator[str]:
    report, gpu = seen.report, seen.gpu
    if now - seen.running_from < after:
        yield "it started a short while ago"
    if report is not None and report.busy and now - report.received_at <= FRESH:
        yield "; ".join(report.what) or f"its {report.kind} server says that it works"
    if report is not None and report.last_used > now - after:
        yield "it was used a short while ago"
    if gpu is not None and gpu.engine is not None and gpu.engine >= ENGINE_BUSY:
        yield f"its GPU slice computed, up to {gpu.engine:.0%} of the time"
    if gpu is not None and gpu.dram is not None and gpu.dram >= DRAM_BUSY:
        yield f"its GPU memory moved data, up to {gpu.dram:.0%} of the time"
    if gpu is not None and gpu.memory_changed:
        yield "the GPU memory that it holds has changed"
    if seen.cpu is not None and seen.cpu >= CPU_BUSY:
        yield f"it computed on the CPU, up to {seen.cpu:.2f} cores"


def _gaps(seen: Watched, after: float, now: float) -> Iterator[str]:
    """Why nothing can be said, the most telling first."""
    report, gpu = seen.report, seen.gpu
    if report is None:
        yield "the server has not said whether it is used"
    elif now - report.received_at > FRESH:
        yield f"the server has not said anything for {_minutes(now - report.received_at)}"
    elif now - report.since < after:
        yield f"the server has told of itself for {_minutes(now - report.since)} only"
    if gpu is None or gpu.engine is None or gpu.dram is None:
        yield "there are no samples of its GPU slice"
        return
    if gpu.expected <= 0 or gpu.samples < COVERAGE * gpu.expected:
        yield f"there are {gpu.samples} of {gpu.expected} samples of its GPU slice only"
    if gpu.xid is None:
        yield "nothing tells whether its GPU had an Xid error"
    elif gpu.xid:
        yield f"its GPU had Xid error {gpu.xid}, after which counters may read 0 while it works"
    if gpu.disturbed is not None:
        yield gpu.disturbed


def _evidence(seen: Watched, report: Report, gpu: GpuSamples, after: float) -> Iterator[str]:
    yield f"No kernel, terminal or process of it has worked for {_minutes(after)}, as it says itself."
    yield (
        f"{gpu.samples} of {gpu.expected} samples of its GPU slice show no work: "
        f"computing at most {gpu.engine or 0:.1%}, "
        f"memory at most {gpu.dram or 0:.1%}."
    )
    yield "Its GPU had no Xid error and was not cut anew."
    if seen.cpu is not None:
        yield f"It took at most {seen.cpu:.2f} cores."
    if gpu.memory is not None and gpu.memory > EMPTY_SLICE:
        yield f"It holds {gpu.memory / 2**30:.1f} GiB of GPU memory, which a stop gives back: what is there is lost."


def _minutes(seconds: float) -> str:
    minutes = int(seconds // 60)
    return f"{minutes} minute{'s' * (minutes != 1)}" if minutes else f"{int(seconds)} seconds"
