"""GPU profiles: what the menu offers, as data and pure functions."""

from .card import Card, CardError, Slice
from .cards import all_card_names, card_names, card_schema, load_card, load_model
from .catalogue import Catalogue, ProfileError, SiteProfile, load_catalogue, menu_slices
from .comparison import Finding, SeenGpu, SeenSlice, compare
from .device import SHARED_GPU, WHOLE_GPU, Device
from .placement import (
    Fit,
    Placed,
    PlacementError,
    Smallest,
    best_layout,
    fits,
    layouts,
    memory_bytes,
    room,
    room_if_moved,
    share,
    smallest_with_memory,
    too_much,
)
from .profile import Profile
from .resources import Resources, format_bytes, parse_cpu, parse_memory, parse_quantity

__all__ = [
    "SHARED_GPU",
    "WHOLE_GPU",
    "Card",
    "CardError",
    "Catalogue",
    "Device",
    "Finding",
    "Fit",
    "Placed",
    "PlacementError",
    "Profile",
    "ProfileError",
    "Resources",
    "SeenGpu",
    "SeenSlice",
    "SiteProfile",
    "Slice",
    "Smallest",
    "all_card_names",
    "best_layout",
    "card_names",
    "card_schema",
    "compare",
    "fits",
    "format_bytes",
    "layouts",
    "load_card",
    "load_catalogue",
    "load_model",
    "memory_bytes",
    "menu_slices",
    "parse_cpu",
    "parse_memory",
    "parse_quantity",
    "room",
    "room_if_moved",
    "share",
    "smallest_with_memory",
    "too_much",
]
