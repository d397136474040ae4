"""Copies of what a site can't make anew, databases, files, keys, tenants.yaml: made, checked, brought back."""

from .check import check_backup
from .folders import next_folder, remove_old
from .make import Sources, make_backup
from .restore import Targets, restore_backup

__all__ = ["Sources", "Targets", "check_backup", "make_backup", "next_folder", "remove_old", "restore_backup"]
