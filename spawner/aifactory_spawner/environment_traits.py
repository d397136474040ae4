"""The traits of a spawner that follow from the environment of a start."""

from __future__ import annotations

from typing import Any

from traitlets import HasTraits

from aifactory_hub.domain.environments import Choice

from . import overrides


class EnvironmentTraits(HasTraits):
    """To be mixed in before the classes whose traits it sets. ``choice`` is the environment of the last start."""

    choice: Choice | None
    # The site's values of the traits that the environment has set.
    _site_values: dict[str, Any]

    def start(self) -> Any:
        """As the next class's, without what the environment of an earlier start has set."""
        self.set_environment(None)
        return super().start()

    def set_environment(self, choice: Choice | None) -> None:
        """Give the traits that an environment sets its values, and those of an earlier one the site's."""
        for name, value in self._site_values.items():
            setattr(self, name, value)
        traits = overrides.environment_traits(choice)
        self._site_values = {name: getattr(self, name) for name in traits}
        self.choice = choice
        for name, value in traits.items():
            setattr(self, name, value)

    @property
    def program(self) -> str:
        """What the page of a start calls what is starting."""
        return "JupyterLab" if self.choice is None else self.choice.environment.display_name
