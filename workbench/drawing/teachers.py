"""The drawn teachers of scenes by name: what a stylizer may learn to draw before it meets a style.

A teacher is a function of a picture and its settings: the looks of :func:`workbench.drawing.draw`, and the
two that the shipped weights learnt. Another one is added by naming it in :data:`TEACHERS`.
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
    """How it draws, and how it is set unless told otherwise."""

    function: Callable[[NDArray[np.uint8], Any], NDArray[np.uint8]]  # (picture, settings) to drawing
    settings: Any  # a dataclass
    version: int = (
        1  # raised whenever it draws something else with the same settings: what was drawn is drawn anew
    )

    def with_changes(self, changes: Mapping[str, Any]) -> Teacher:
        """The same teacher set otherwise.

        Raises:
            WorkbenchError: a setting that it does not have, or a value of another type.
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
