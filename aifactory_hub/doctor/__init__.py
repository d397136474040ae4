"""Gathers what ``domain.doctor`` judges: from a cluster's API, or from a file of objects."""

from .gather import gather, gather_offline
from .sources import ApiSource, FileSource, Source, SourceError

__all__ = ["ApiSource", "FileSource", "Source", "SourceError", "gather", "gather_offline"]
