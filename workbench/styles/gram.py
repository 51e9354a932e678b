"""Style transfer by optimisation: pixels whose features match a photo and whose Gram matrices match a style.

The baseline of every video stylizer's flicker: each frame is an optimisation of its own, with many pictures
that are nearly as good, so consecutive frames end in different ones. Slow (seconds per picture): for
comparison, not for the style menu.

Source: Gatys, Ecker and Bethge, "Image Style Transfer Using Convolutional Neural Networks", CVPR 2016.
Departures: the network is EfficientNet-lite0 (VGG's weights are in no Python package), each term is divided
by the size of what it is to match so that no weight depends on a layer, and Adam takes the place of L-BFGS.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from workbench.core.pixels import to_pixels, to_tensor
from workbench.losses.gram import gram_matrix
from workbench.losses.tv import total_variation_loss
from workbench.models.features import FrozenFeatures

_STYLE_STAGES = (0, 1, 2, 3)  # reductions 2, 4, 8 and 16
_CONTENT_STAGE = 2


class GramStylizer:
    """Redraws pictures in the style of one picture.

    Args:
        style: (H, W, 3) uint8.
        steps: of Adam, at about 0.1 s each for 288×192 on one core.
        content: weight of the photo's features against the style's.
        smoothness: weight of total variation, without which the strides of the network show as a grid.
        noise: share of noise in the start, in [0, 1]; the rest is the photo. In the paper 1, which takes
            hundreds of steps; at 0 the start has none of its own.
    """

    def __init__(
        self,
        style: NDArray[np.uint8],
        steps: int = 40,
        content: float = 1.0,
        smoothness: float = 0.3,
        noise: float = 0.3,
    ):
        if not 0 <= noise <= 1:
            raise ValueError(f"Expected `noise` in [0, 1] but got {noise!r}.")
        self._features = FrozenFeatures("lite0", _STYLE_STAGES)
        self._steps, self._content, self._smoothness, self._noise = steps, content, smoothness, noise
        with torch.no_grad():
            self._style = [gram_matrix(f) for f in self._features(to_tensor(style))]

    def __call__(self, photo: NDArray[np.uint8], seed: int = 0) -> NDArray[np.uint8]:
        """The drawing of ``photo`` (H, W, 3) uint8; ``seed`` chooses the noise of the start."""
        target = to_tensor(photo)
        with torch.no_grad():
            wanted = self._features(target)[_CONTENT_STAGE]
        noise = torch.randn(target.shape, generator=torch.Generator().manual_seed(seed))
        pixels = torch.lerp(target, 0.5 * noise, self._noise).clamp(-1, 1).requires_grad_()
        optimizer = torch.optim.Adam([pixels], lr=0.05)
        for _ in range(self._steps):
            optimizer.zero_grad()
            features = self._features(pixels)
            style = sum(_relative(gram_matrix(f), g) for f, g in zip(features, self._style, strict=True))
            content = _relative(features[_CONTENT_STAGE], wanted)
            loss = (
                style / len(features)
                + self._content * content
                + self._smoothness * total_variation_loss(pixels)
            )
            loss.backward()
            optimizer.step()
            with torch.no_grad():
                pixels.clamp_(-1, 1)
        return to_pixels(pixels)[0]


def _relative(features: Tensor, wanted: Tensor) -> Tensor:
    """Squared distance relative to the squared norm of the target."""
    return (features - wanted).square().sum() / wanted.square().sum().clamp_min(1e-12)
