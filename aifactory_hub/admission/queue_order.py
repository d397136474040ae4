"""Which waiting tickets are admitted next, by the rules that Kueue has: pure, over plain values.

Each tenant has nominal devices of its own and may borrow what others leave idle, up to its limit. Owners take theirs
back: the newest borrower goes first. Within a tenant a higher priority goes before, and displaces, a lower one. What
does not fit does not block what does. Notebooks and jobs are told apart: notebooks have the tenant's own, which its
jobs use while it is idle, and what runs over that is the jobs'.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from aifactory_profiles import Device

from ..domain.borrowing import Reclaim, available
from ..domain.quota import Quota


@dataclass(frozen=True, slots=True)
class Claim:
    """One ticket as the queue sees it.

    ``filed`` and ``admitted`` number tickets in the order of their requests and admissions; ``admitted`` is None while
    the ticket waits. ``held`` says that a pod lives on it, ``evicted`` that this pod has been asked to go.
    A ``notebook`` has what is its tenant's own unless the quota says that notebooks borrow.
    """

    key: str
    tenant: str
    filed: int
    devices: Mapping[Device, int]
    priority: int = 0
    admitted: int | None = None
    held: bool = False
    evicted: bool = False
    notebook: bool = False

    @property
    def waits(self) -> bool:
        return self.admitted is None


@dataclass(frozen=True, slots=True)
class Eviction:
    """A claim that must go, and why in words for people."""

    key: str
    reason: str


@dataclass(frozen=True, slots=True)
class Decision:
    """Whom to evict and the keys of the claims to admit, in order: evict first."""

    evict: tuple[Eviction, ...] = ()
    admit: tuple[str, ...] = ()


@dataclass(slots=True)
class _Books:
    """What is taken while a decision is made, ``held`` with what is kept free for claims that wait for an eviction."""

    quotas: Mapping[str, Quota]
    claims: dict[str, Claim]
    reclaim: Reclaim = Reclaim.ANY
    held: dict[str, Counter[Device]] = field(default_factory=dict)
    notebooks: dict[str, Counter[Device]] = field(default_factory=dict)

    @classmethod
    def of(cls, quotas: Mapping[str, Quota], claims: Sequence[Claim], reclaim: Reclaim) -> _Books:
        nothing: dict[str, Counter[Device]] = {tenant: Counter() for tenant in quotas}
        books = cls(quotas, {claim.key: claim for claim in claims}, reclaim, nothing, _copied(nothing))
        for claim in claims:
            if not claim.waits:
                books.reserve(claim)
        return books

    def copy(self) -> _Books:
        return _Books(self.quotas, dict(self.claims), self.reclaim, _copied(self.held), _copied(self.notebooks))

    def put(self, claim: Claim) -> None:
        """The claim as it is now."""
        before = self.claims[claim.key]
        if not before.waits:
            for counts in self._counts_of(before):
                counts.subtract(before.devices)
        if not claim.waits:
            self.reserve(claim)
        self.claims[claim.key] = claim

    def reserve(self, claim: Claim) -> None:
        """Count the claim as held: it is, or its victims will give that back."""
        for counts in self._counts_of(claim):
            counts.update(claim.devices)

    def _counts_of(self, claim: Claim) -> list[Counter[Device]]:
        return [self.held[claim.tenant], *([self.notebooks[claim.tenant]] if claim.notebook else ())]

    def going(self, claim: Claim, device: Device) -> int:
        """What evicted claims of its tenant still hold, and will give back; of a notebook those of notebooks."""
        return sum(
            other.devices.get(device, 0)
            for other in self.claims.values()
            if other.evicted and other.tenant == claim.tenant and (other.notebook or not claim.notebook)
        )

    def overdrawn(self, claim: Claim, device: Device) -> bool:
        """Whether the claim's tenant holds more than its own, and a notebook's tenant with its notebooks alone."""
        used = (self.notebooks if claim.notebook else self.held)[claim.tenant]
        return used[device] > self.nominal(claim.tenant, device)

    def nominal(self, tenant: str, device: Device) -> int:
        return self.quotas[tenant].nominal.get(device, 0)

    def fits(self, claim: Claim) -> bool:
        return not self.too_many_notebooks(claim) and all(
            count <= available(claim.tenant, device, self.quotas, self.held) for device, count in claim.devices.items()
        )

    def too_many_notebooks(self, claim: Claim) -> bool:
        """Whether it is a notebook that only other notebooks of its tenant could make room for."""
        quota = self.quotas[claim.tenant]
        return claim.notebook and any(
            self.notebooks[claim.tenant][device] + count > quota.notebook_limit(device)
            for device, count in claim.devices.items()
        )

    def borrows(self, claim: Claim) -> bool:
        """Whether the claim would take its tenant over what is its own, a notebook its tenant's notebooks."""
        used = (self.notebooks if claim.notebook else self.held)[claim.tenant]
        return any(
            used[device] - self.going(claim, device) + count > self.nominal(claim.tenant, device)
            for device, count in claim.devices.items()
        )


def _copied(held: Mapping[str, Counter[Device]]) -> dict[str, Counter[Device]]:
    return {tenant: Counter(counts) for tenant, counts in held.items()}


def decide(claims: Sequence[Claim], quotas: Mapping[str, Quota], reclaim: Reclaim = Reclaim.ANY) -> Decision:
    """Whom to admit and whom to evict now. To be applied and asked again until it says nothing."""
    books = _Books.of(quotas, claims, reclaim)
    queue = sorted((c for c in claims if c.waits), key=lambda c: (-c.priority, c.filed))
    evict: list[Eviction] = []
    admit: list[str] = []
    # Owners before borrowers, so that idle devices are not lent to one tenant while another asks for its own.
    for borrowing in (False, True):
        for claim in queue:
            if claim.key not in admit and books.borrows(claim) is borrowing:
                _place(books, claim, evict, admit)
    return Decision(tuple(evict), tuple(admit))


def _place(books: _Books, claim: Claim, evict: list[Eviction], admit: list[str]) -> None:
    if not books.fits(claim):
        victims = _victims(books, claim)
        if victims is None:
            return
        for victim in victims:
            if victim.key in admit:
                admit.remove(victim.key)  # decided a moment ago, and nobody has heard of it yet
            else:
                evict.append(Eviction(victim.key, _reason(victim, claim)))
            _evict(books, victim)
    if books.fits(claim):
        admit.append(claim.key)
        books.put(replace(claim, admitted=_next_admission(books)))
    else:
        # The victims' pods still run. Nobody else may take what they will give back.
        books.reserve(claim)


def _reason(victim: Claim, claim: Claim) -> str:
    if victim.tenant == claim.tenant:
        return "something with a higher priority in its own team took its devices"
    return "the team that owns its devices took them back"


def _evict(books: _Books, victim: Claim) -> None:
    books.put(replace(victim, evicted=True) if victim.held else replace(victim, admitted=None))


def _next_admission(books: _Books) -> int:
    return 1 + max((c.admitted or 0 for c in books.claims.values()), default=0)


def _victims(books: _Books, claim: Claim) -> list[Claim] | None:
    """Whom to evict so that ``claim`` fits once they have gone; None when nobody's going would help."""
    trial = books.copy()
    for gone in list(trial.claims.values()):
        if gone.evicted:
            trial.put(replace(gone, admitted=None, evicted=False))
    victims: list[Claim] = []
    if trial.too_many_notebooks(claim):
        return None
    while not trial.fits(claim):
        victim = _next_victim(trial, claim)
        if victim is None:
            return None
        victims.append(books.claims[victim.key])
        trial.put(replace(victim, admitted=None))
    return victims


def _next_victim(trial: _Books, claim: Claim) -> Claim | None:
    short = [d for d, n in claim.devices.items() if not trial.fits(replace(claim, devices={d: n}))]
    reclaims = trial.reclaim is not Reclaim.NEVER and not trial.borrows(claim)
    candidates = [
        other
        for other in trial.claims.values()
        if not other.waits
        and (other.tenant == claim.tenant or reclaims)
        and any(other.devices.get(d) for d in short)
        and _may_displace(trial, claim, other, short)
    ]
    return max(candidates, key=lambda other: (-other.priority, other.admitted or 0), default=None)


def _may_displace(trial: _Books, claim: Claim, other: Claim, short: Sequence[Device]) -> bool:
    if other.tenant == claim.tenant and other.notebook == claim.notebook:
        return other.priority < claim.priority and trial.reclaim is not Reclaim.NEVER
    if other.tenant == claim.tenant:
        return claim.notebook and trial.reclaim is not Reclaim.NEVER
    if trial.reclaim is Reclaim.LOWER_PRIORITY and other.priority >= claim.priority:
        return False
    over = (d for d in short if other.devices.get(d))
    return any(trial.overdrawn(other, d) for d in over)
