"""GPU profiles: what the menu offers, as data and pure functions."""

from .cards import Card, CardError, Slice, card_names, load_card, load_model
from .catalogue import Catalogue, ProfileError, SiteProfile, load_catalogue, menu_slices
from .profile import Profile
from .resources import Resources, format_bytes, parse_cpu, parse_memory

__all__ = [
    "Card",
    "CardError",
    "Catalogue",
    "Profile",
    "ProfileError",
    "Resources",
    "SiteProfile",
    "Slice",
    "card_names",
    "format_bytes",
    "load_card",
    "load_catalogue",
    "load_model",
    "menu_slices",
    "parse_cpu",
    "parse_memory",
]
