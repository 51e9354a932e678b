"""Drawings made without learning: what teachers show to networks, and styles of their own."""

from workbench.drawing.look import LOOKS, Look
from workbench.drawing.scene import draw

__all__ = ["LOOKS", "Look", "draw"]
