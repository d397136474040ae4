"""Policy as code: rule files read, checked, tried with their cases, and evaluated. The only folder that imports CEL."""

from .load import load_bundle, read_folder
from .problems import PolicyError, PolicyProblem
from .provider import RulesProvider

__all__ = ["PolicyError", "PolicyProblem", "RulesProvider", "load_bundle", "read_folder"]
