"""Named augmentation policies for paintings.

Every policy is a callable (picture, rng) -> square RGB picture of ``size`` pixels.

Sources: Krizhevsky et al., "ImageNet Classification with Deep CNNs", NeurIPS 2012 (crops, flips, colour);
DeVries and Taylor, "Cutout", arXiv:1708.04552.
"""

from __future__ import annotations

import dataclasses

import numpy as np
from PIL import Image
from torch import Tensor

from workbench.core.errors import UnknownNameError
from workbench.data.transforms import RandomView


@dataclasses.dataclass(frozen=True)
class Policy:
    """Flip, crop or resize, jitter, rotate, cutout: in this order, each if its amount is above 0."""

    size: int
    view: RandomView
    flip: bool = False
    rotate: float = 0.0  # degrees, uniform in ± this; corners are filled by reflection
    cutout: float = 0.0  # side of the blanked square, as a share of the picture's side

    def __call__(self, image: Image.Image, rng: np.random.Generator) -> Image.Image:
        view = self.view(image, rng)
        if self.flip and rng.random() < 0.5:
            view = view.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        if self.rotate:
            view = _rotate(view, float(rng.uniform(-self.rotate, self.rotate)))
        if self.cutout:
            side = round(self.cutout * self.size)
            left, top = (int(rng.integers(0, self.size - side + 1)) for _ in range(2))
            pixels = np.array(view)
            pixels[top : top + side, left : left + side] = pixels.mean((0, 1)).round().astype(np.uint8)
            view = Image.fromarray(pixels)
        return view


def mixup(x: Tensor, t: Tensor, alpha: float, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Pictures or features (B, …) and their targets (B, C), each mixed with those of another of the batch.

    Args:
        x: pictures or features.
        t: targets.
        alpha: of the Beta distribution of the shares.
        rng: draws one share and one order for the batch.

    Source: Zhang et al., "mixup", ICLR 2018.
    """
    share = max(share := rng.beta(alpha, alpha), 1 - share)
    other = rng.permutation(len(x))
    return share * x + (1 - share) * x[other], share * t + (1 - share) * t[other]


def _rotate(image: Image.Image, degrees: float) -> Image.Image:
    pad = image.width // 4
    wide = Image.fromarray(np.pad(np.asarray(image), ((pad, pad), (pad, pad), (0, 0)), mode="reflect"))
    turned = wide.rotate(degrees, resample=Image.Resampling.BILINEAR)
    return turned.crop((pad, pad, pad + image.width, pad + image.height))


_STILL = {"squeezed": 1.0, "keep": 1.0, "brightness": 0.0, "contrast": 0.0, "saturation": 0.0, "flip": False}

# each policy's differences from the unaugmented picture
POLICIES: dict[str, dict] = {
    "none": {},
    "flip": {"flip": True},
    "crop": {"squeezed": 0.33, "keep": 0.7},
    "colour": {"brightness": 0.15, "contrast": 0.15, "saturation": 0.2},
    "rotate": {"rotate": 10.0},
    "cutout": {"cutout": 0.3},
    "brush": {  # suits paintings: no rotation, no strong recolouring, no cutout
        "flip": True, "squeezed": 0.33, "keep": 0.7, "brightness": 0.15, "contrast": 0.15, "saturation": 0.2,
    },
    "strong": {
        "flip": True, "squeezed": 0.33, "keep": 0.6, "brightness": 0.4, "contrast": 0.4, "saturation": 0.5,
        "rotate": 15.0, "cutout": 0.3,
    },
}  # fmt: skip


def policy(name: str, size: int) -> Policy:
    """The policy ``name`` for views of ``size`` pixels.

    Raises:
        UnknownNameError: unknown ``name``.
    """
    if name not in POLICIES:
        raise UnknownNameError("augmentation", name, POLICIES)
    amounts = _STILL | POLICIES[name]
    outer = {k: amounts.pop(k) for k in ("flip", "rotate", "cutout") if k in amounts}
    scales = (size, round(size * 12 / 7))
    return Policy(size, RandomView(size, scales, flip=False, **amounts), **outer)
