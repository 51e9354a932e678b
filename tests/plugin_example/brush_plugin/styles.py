"""A style of few tones: every channel is rounded to some levels."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from workbench.styles.style import Draw, Style


@dataclasses.dataclass(frozen=True)
class PosterisedStyle(Style):
    """Each channel rounded to ``levels`` values from 0 to 255."""

    levels: int = 4

    def load(self, runtime: str, device: Any) -> Draw:
        """See :meth:`Style.load`."""
        step = 255 / (self.levels - 1)
        return lambda pixels, progress: (np.rint(pixels / step) * step).round().astype(np.uint8)


POSTERISED = PosterisedStyle("posterised", "Posterised", "A picture of few tones.", "Apache-2.0")
