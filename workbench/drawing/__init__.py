"""Drawing without learning: scenes in a look, teachers, classical filters, face geometry."""

from workbench.core import lazy
from workbench.drawing.look import LOOKS, Look
from workbench.drawing.scene import draw

__getattr__, _, _modules = lazy.modules_of(__name__, __path__)
__all__ = ["LOOKS", "Look", "draw", *_modules]


def __dir__() -> list[str]:
    return sorted(__all__)
