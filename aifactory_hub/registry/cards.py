"""A site's own cards: the files that ``cluster.cards`` names."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from pydantic_core import PydanticCustomError

from aifactory_profiles import Card, CardError, load_card

from .problems import Problem
from .scalars import read_label


def own_cards(files: Iterable[tuple[int, str]], source: str) -> tuple[dict[str, Card], list[Problem]]:
    """The cards in ``files``, numbered as in the list, by name; and what is wrong with them.

    Paths are seen from the folder of ``source``. A problem names the card's file and line beside the key of this one.
    """
    cards: dict[str, Card] = {}
    problems = []
    for index, name in files:
        try:
            card = _read(Path(source).parent / name)
            if card.name in cards:
                raise _Unusable(f"{name}: name: another file of the list has {card.name!r} too", "rename one")
            cards[card.name] = card
        except _Unusable as error:
            problems.append(Problem(("cluster", "cards", index), error.what, error.instead))
    return cards, problems


class _Unusable(Exception):
    def __init__(self, what: str, instead: str) -> None:
        super().__init__(what)
        self.what, self.instead = what, instead


def _read(file: Path) -> Card:
    try:
        card = load_card(file.read_text(encoding="utf-8"), str(file))
        read_label(card.name)
    except OSError as error:
        raise _Unusable(f"{file} can't be read: {error.strerror}", "name a file that the hub may read") from error
    except UnicodeDecodeError as error:
        raise _Unusable(f"{file}: byte {error.start} is not UTF-8", "save it as UTF-8") from error
    except CardError as error:
        raise _Unusable(str(error), "correct the card") from error
    except PydanticCustomError as error:
        what = f"{file}: name: {card.name!r} can't be the name of a Kueue flavor too"
        raise _Unusable(what, "use lower-case letters, digits and inner dashes") from error
    return card
