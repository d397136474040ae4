"""One attempt on the walls, and how it ended."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Outcome:
    """One attempt: who has to refuse it, the words it was refused with (empty: it was not), and what was left."""

    attack: str
    refused_by: str
    words: str
    harmless: bool

    @property
    def good(self) -> bool:
        return bool(self.words) and self.harmless

    def line(self) -> str:
        verdict = "refused" if self.good else "WENT THROUGH"
        return f"{self.attack:48} | {self.refused_by:29} | {verdict:12} | {shortened(self.words)}"


def shortened(text: str, length: int = 200) -> str:
    plain = " ".join(text.split())
    for noise in ("Error syncing to host cluster: ", "create object: "):
        plain = plain.replace(noise, "")
    plain = re.sub(r"ValidatingAdmissionPolicy '[^']+' with binding '[^']+' denied request: ", "", plain)
    return plain if len(plain) <= length else plain[: length - 3] + "..."
