"""Who may run next, decided as Kueue decides it: pure, over plain values.

Each tenant has nominal devices of its own and may borrow what others leave idle, up to its limit. Owners take theirs
back: the newest borrower goes first. Within a tenant a higher priority goes before, and displaces, a lower one. What
does not fit does not block what does.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from aifactory_profiles import Device

from ..domain.lending import Reclaim, available
from ..domain.quota import Quota


@dataclass(frozen=True, slots=True)
class Claim:
    """One ticket as the queue sees it.

    ``filed`` and ``admitted`` number tickets in the order of their requests and admissions; ``admitted`` is None while
    the ticket waits. ``held`` says that a pod lives on it, ``evicted`` that this pod has been asked to go.
    """

    key: str
    tenant: str
    filed: int
    devices: Mapping[Device, int]
    priority: int = 0
    admitted: int | None = None
    held: bool = False
    evicted: bool = False

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

    @classmethod
    def of(cls, quotas: Mapping[str, Quota], claims: Sequence[Claim], reclaim: Reclaim) -> _Books:
        held: dict[str, Counter[Device]] = {tenant: Counter() for tenant in quotas}
        for claim in claims:
            if not claim.waits:
                held[claim.tenant].update(claim.devices)
        return cls(quotas, {claim.key: claim for claim in claims}, reclaim, held)

    def copy(self) -> _Books:
        held = {tenant: Counter(counts) for tenant, counts in self.held.items()}
        return _Books(self.quotas, dict(self.claims), self.reclaim, held)

    def put(self, claim: Claim) -> None:
        """The claim as it is now."""
        before = self.claims[claim.key]
        if not before.waits:
            self.held[claim.tenant].subtract(before.devices)
        if not claim.waits:
            self.held[claim.tenant].update(claim.devices)
        self.claims[claim.key] = claim

    def reserve(self, claim: Claim) -> None:
        """Keep free what the claim's victims will give back."""
        self.held[claim.tenant].update(claim.devices)

    def used(self, tenant: str, device: Device) -> int:
        """What the tenant holds, and what is kept free for it."""
        return self.held[tenant][device]

    def going(self, tenant: str, device: Device) -> int:
        """What evicted claims of the tenant still hold, and will give back."""
        return sum(c.devices.get(device, 0) for c in self.claims.values() if c.tenant == tenant and c.evicted)

    def nominal(self, tenant: str, device: Device) -> int:
        return self.quotas[tenant].nominal.get(device, 0)

    def fits(self, claim: Claim) -> bool:
        return all(
            count <= available(claim.tenant, device, self.quotas, self.held) for device, count in claim.devices.items()
        )

    def borrows(self, claim: Claim) -> bool:
        """Whether the claim would take the tenant over what is its own."""
        return any(
            self.used(claim.tenant, device) - self.going(claim.tenant, device) + count
            > self.nominal(claim.tenant, device)
            for device, count in claim.devices.items()
        )


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
    if other.tenant == claim.tenant:
        return other.priority < claim.priority
    if trial.reclaim is Reclaim.LOWER_PRIORITY and other.priority >= claim.priority:
        return False
    over = (d for d in short if other.devices.get(d))
    return any(trial.used(other.tenant, d) > trial.nominal(other.tenant, d) for d in over)
