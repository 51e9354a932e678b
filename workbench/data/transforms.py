"""Views of a painting for a classifier: the whole picture, and crops at the scale of the brushwork.

A scroll resized to a square loses its strokes, and a single crop loses the composition, so a classifier sees
several square views and their logits are averaged. Views are cut directly from the source (never from an
enlarged scroll), so a 1 × 40,000 picture costs no more than a square one.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from PIL import Image, ImageEnhance
from torch import Tensor

from workbench.core.errors import WeightsError

_RESAMPLE = Image.Resampling.BICUBIC


@dataclasses.dataclass(frozen=True)
class Crops:
    """Square crops along the longer side of a picture scaled to ``short_side``, centred across it."""

    short_side: int  # of the scaled picture, in pixels
    count: int = 3  # evenly spaced from end to end; 1 is the centre
    size: int = 224  # pixels, at most `short_side`

    def boxes(self, width: int, height: int) -> list[tuple[float, float, float, float]]:
        """Crop boxes (left, top, right, bottom) in the pixels of a ``width`` × ``height`` source."""
        side = self.size / self.short_side * min(width, height)
        ends = np.linspace(0, 1, self.count) if self.count > 1 else [0.5]
        across = (min(width, height) - side) / 2
        boxes = []
        for t in ends:
            along = float(t) * (max(width, height) - side)
            left, top = (along, across) if width >= height else (across, along)
            boxes.append((left, top, min(left + side, width), min(top + side, height)))
        return boxes


@dataclasses.dataclass(frozen=True)
class Squeeze:
    """The whole picture squeezed to a square of ``size`` pixels."""

    size: int = 224

    def boxes(self, width: int, height: int) -> list[tuple[float, float, float, float]]:
        """The picture itself."""
        return [(0.0, 0.0, float(width), float(height))]


@dataclasses.dataclass(frozen=True)
class Views:
    """The views of a picture and their normalisation, as stored on a classifier's card."""

    kinds: tuple[Crops | Squeeze, ...]
    mean: tuple[float, ...] = (0.5, 0.5, 0.5)  # of RGB in [0, 1]
    std: tuple[float, ...] = (0.5, 0.5, 0.5)

    @classmethod
    def from_card(cls, preprocessing: Mapping) -> Views:
        """Parse ``preprocessing``: ``mean``, ``std``, ``views`` (``{"kind": "crops" | "squeeze", …}``).

        Raises:
            WeightsError: a key is missing, unknown or out of range.
        """
        try:
            kinds = tuple(
                {"crops": Crops, "squeeze": Squeeze}[v["kind"]](
                    **{k: int(n) for k, n in v.items() if k != "kind"}
                )
                for v in preprocessing["views"]
            )
            views = cls(
                kinds, tuple(map(float, preprocessing["mean"])), tuple(map(float, preprocessing["std"]))
            )
        except (KeyError, TypeError, ValueError) as error:
            raise WeightsError(
                f"Expected mean, std and views in the card's preprocessing but {error!r} is wrong."
            ) from error
        if not kinds or len({k.size for k in kinds}) > 1 or any(k.size < 32 for k in kinds) or 0 in views.std:
            raise WeightsError(
                "Expected one or more views of one size of at least 32 in the card's preprocessing."
            )
        if any(isinstance(k, Crops) and (k.short_side < k.size or k.count < 1) for k in kinds):
            raise WeightsError("Expected crops no larger than their short side in the card's preprocessing.")
        return views

    def to_card(self) -> dict:
        """The inverse of :meth:`from_card`."""
        views = [{"kind": type(k).__name__.lower(), **dataclasses.asdict(k)} for k in self.kinds]
        return {"mean": list(self.mean), "std": list(self.std), "views": views}

    def __len__(self) -> int:
        return sum(k.count if isinstance(k, Crops) else 1 for k in self.kinds)

    def __call__(self, image: Image.Image) -> Tensor:
        """All views of one picture, (V, 3, size, size) float32."""
        image = shrink(image, _finest(self.kinds))
        cut = [
            image.resize((k.size, k.size), _RESAMPLE, box=box)
            for k in self.kinds
            for box in k.boxes(*image.size)
        ]
        return self.normalise(cut)

    def normalise(self, pictures: Sequence[Image.Image]) -> Tensor:
        """Equal-sized RGB pictures to (B, 3, H, W) float32: (x / 255 - mean) / std."""
        x = (
            torch.from_numpy(np.stack([np.asarray(p) for p in pictures]))
            .permute(0, 3, 1, 2)
            .float()
            .div_(255)
        )
        mean, std = (torch.tensor(v)[:, None, None] for v in (self.mean, self.std))
        return x.sub_(mean).div_(std)


def _finest(kinds: Sequence[Crops | Squeeze]) -> int:
    return max(k.short_side if isinstance(k, Crops) else k.size for k in kinds)


def shrink(image: Image.Image, short_side: int) -> Image.Image:
    """Fast reduction by an integer factor; the shorter side stays at least twice ``short_side``."""
    factor = min(image.size) // (2 * short_side)
    return image.reduce(factor) if factor > 1 else image


@dataclasses.dataclass(frozen=True)
class RandomView:
    """A random training view: a crop, or most of the picture resized to a square, with colour jitter.

    There is no rotation, strong recolouring or erasing: empty paper, ink tone and the direction of strokes
    carry the mood.
    """

    size: int = 224
    short_side: tuple[int, int] = (224, 384)  # range of scales of the crops, drawn log-uniformly
    squeezed: float = 0.33  # share of views resized to a square
    keep: float = 0.7  # smallest share of each side in such a view
    brightness: float = 0.15  # factors are drawn from 1 ± this
    contrast: float = 0.15
    saturation: float = 0.2
    flip: bool = True  # mirror half of the views at random

    def __call__(self, image: Image.Image, rng: np.random.Generator) -> Image.Image:
        """One view (size × size, RGB) of ``image``."""
        width, height = image.size
        if rng.random() < self.squeezed:
            w, h = width * rng.uniform(self.keep, 1), height * rng.uniform(self.keep, 1)
        else:
            low, high = np.log(self.short_side)
            w = h = self.size / np.exp(rng.uniform(low, high)) * min(width, height)
        left, top = rng.uniform(0, width - w), rng.uniform(0, height - h)
        view = image.resize(
            (self.size, self.size), _RESAMPLE, box=(left, top, min(left + w, width), min(top + h, height))
        )
        for enhance, amount in (
            (ImageEnhance.Brightness, self.brightness),
            (ImageEnhance.Contrast, self.contrast),
            (ImageEnhance.Color, self.saturation),
        ):
            if amount:
                view = enhance(view).enhance(1 + rng.uniform(-amount, amount))
        mirrored = self.flip and rng.random() < 0.5
        return view.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if mirrored else view
