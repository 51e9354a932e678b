"""Scene teachers by name: the drawings that a stylizer learns before its adversarial training.

A teacher is a function of a picture and settings. There are the looks of :func:`workbench.drawing.draw`; the
same with faces drawn by :func:`workbench.drawing.portrait.draw`, as ``comic_people``; and the two of
:mod:`workbench.drawing.teacher`. New ones are added to :data:`TEACHERS`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.core import options
from workbench.core.registry import Registry
from workbench.drawing import portrait, scene, teacher
from workbench.drawing.look import LOOKS, Look


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


def draw_people(picture: NDArray[np.uint8], look: Look) -> NDArray[np.uint8]:
    """The drawing of a picture whose faces, if it has any, keep their features and shapes."""
    return portrait.draw(picture, look, deform=0.0)


_PEOPLE = {f"{name}_people": look for name, look in LOOKS.items()}
TEACHERS: Registry[Teacher] = Registry("teacher")
for _function, _several, _version in (
    (scene.draw, LOOKS, 1),
    (draw_people, _PEOPLE, 3),  # gray irises are blue if they are so beside the white
    (teacher.draw, teacher.TEACHERS, 1),
):
    for _name, _settings in _several.items():
        TEACHERS.add(_name, Teacher(_function, _settings, _version))
