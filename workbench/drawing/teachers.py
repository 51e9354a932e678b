"""Scene teachers by name: the drawings that a stylizer learns before its adversarial training.

A teacher is a function of a picture and settings. There are the looks of :func:`workbench.drawing.draw` and
the two on which the shipped weights were trained; new ones are added to :data:`TEACHERS`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.core import options
from workbench.core.registry import Registry
from workbench.drawing import scene, teacher
from workbench.drawing.look import LOOKS


@dataclasses.dataclass(frozen=True)
class Teacher:
    """A drawing function and its default settings."""

    function: Callable[[NDArray[np.uint8], Any], NDArray[np.uint8]]  # (picture, settings) to drawing
    settings: Any  # a dataclass
    version: int = 1  # raise it when the same settings give another drawing

    def with_changes(self, changes: Mapping[str, Any]) -> Teacher:
        """The same teacher with changed settings.

        Raises:
            WorkbenchError: an unknown setting, or a value of the wrong type.
        """
        given = {f.name: getattr(self.settings, f.name) for f in dataclasses.fields(self.settings)}
        return dataclasses.replace(self, settings=options.build(type(self.settings), given | dict(changes)))

    def draw(self, picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The drawing of an RGB picture (H, W, 3), same size."""
        return self.function(picture, self.settings)


TEACHERS: Registry[Teacher] = Registry("teacher")
for _function, _several in ((scene.draw, LOOKS), (teacher.draw, teacher.TEACHERS)):
    for _name, _settings in _several.items():
        TEACHERS.add(_name, Teacher(_function, _settings))
