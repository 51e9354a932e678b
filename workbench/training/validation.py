"""Validation of a stylizer on held-out photos: KID-lite0 to the style, and a contact sheet."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from workbench.core.cache import Cache, key
from workbench.metrics import kid
from workbench.metrics.bootstrap import columns
from workbench.metrics.kid import KID
from workbench.models.features import FrozenFeatures


class StyleJudge:
    """KID × 1000 of pictures to one style, whose features are computed once.

    Args:
        style: pictures of the style, uint8 (H, W, 3) each.
        device: where the feature network runs.
        variant: "lite0" is the standard; another variant checks that results do not depend on it.
        cache: for the features of the style, which take a minute.
        groups: (M,) whose pictures belong together, e.g. episodes; by default each is its own.
    """

    def __init__(
        self,
        style: Sequence[NDArray],
        device: torch.device | str = "cpu",
        variant: str = "lite0",
        cache: Cache | None = None,
        groups: Sequence[str] | None = None,
    ):
        self.variant, self.groups = variant, groups
        self.device = torch.device(device)
        self._network = FrozenFeatures(variant).to(self.device).to(memory_format=torch.channels_last)

        def make() -> dict[str, NDArray]:
            return {"x": self.features(map(Image.fromarray, style))}

        name = key("style-features", 1, (variant, self.device.type), style=list(style))
        self.style = (cache.arrays(name, make) if cache else make())["x"]

    def features(self, images: Iterable[Image.Image]) -> NDArray[np.float64]:
        """Features (N, views, d) of pictures, for :func:`workbench.metrics.kid.kid` with :attr:`style`."""
        return kid.features(lambda x: self._network(x.to(self.device)).cpu(), images)

    def kid(self, pictures: Iterable[Image.Image]) -> KID:
        """KID × 1000 of pictures to the style, with its standard error."""
        return kid.kid(self.features(pictures), self.style, self.groups)

    def columns(self, own: NDArray, photos: NDArray) -> dict[str, float]:
        """Columns of a table: KID × 1000 of drawings to the style, and less that of their photos, paired.

        Args:
            own: features of the drawings, from :meth:`features`.
            photos: those of the photos, in the same order.

        Returns:
            ``kid_VARIANT`` and ``kid_VARIANT_less_photo``, each with ``_low`` and ``_high``, 95 % intervals
            over the photos and the style's groups. Two sets are compared by the paired difference only.
        """
        name = f"kid_{self.variant}"
        value = kid.kid(own, self.style, self.groups)
        gap = kid.kid_difference(own, photos, self.style, self.groups)
        found = columns(name, value.mean, value.low, value.high)
        found |= columns(f"{name}_less_photo", gap.estimate, gap.low, gap.high)
        return {column: round(number, 2) for column, number in found.items()}

    def style_halves(self) -> KID:
        """KID × 1000 between two random halves of the style, a lower limit for stylizers."""
        order = np.random.default_rng(1).permutation(len(self.style))
        first, second = (self.style[part] for part in np.array_split(order, 2))
        return kid.kid(first, second)


def contact_sheet(
    photos: Sequence[NDArray], drawings: Sequence[Image.Image], rows: int = 8, width: int = 432
) -> Image.Image:
    """Photo and drawing side by side, two pairs per row, for up to ``2 · rows`` pairs spread over the set."""
    pairs = list(zip(photos, drawings, strict=True))
    pairs = pairs[:: max(1, len(pairs) // (2 * rows))][: 2 * rows]
    height = width * 2 // 3
    sheet = Image.new("RGB", (4 * width, height * -(-len(pairs) // 2)))
    for i, (photo, drawing) in enumerate(pairs):
        for j, image in enumerate((Image.fromarray(photo), drawing)):
            image = image.copy()
            image.thumbnail((width, height), resample=Image.Resampling.LANCZOS)
            sheet.paste(image, ((2 * (i % 2) + j) * width, i // 2 * height))
    return sheet
