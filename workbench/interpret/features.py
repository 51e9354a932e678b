"""What a channel responds to: in one picture, in a folder, and in an optimised picture.

The optimised picture results from gradient ascent on Fourier coefficients, with the spectrum and the colour
correlations of natural pictures; it is jittered at every step, and the seed determines it. It shows what the
channel can respond to, which may differ from what it usually responds to: compare it with the most activating
pictures.

Source: Olah, Mordvintsev and Schubert, "Feature Visualization", Distill 2017; the colour matrix is that of
their library lucid (Apache-2.0).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from workbench.interpret.attribution import AttributionError, check_request
from workbench.interpret.layers import activations, recording

COLOURS = torch.tensor(  # square root of the colour covariance of natural pictures, largest norm 1
    [[0.26, 0.09, 0.02], [0.27, 0.00, -0.05], [0.27, -0.09, 0.03]]
)
COLOURS = COLOURS / COLOURS.norm(dim=0).max()
JITTER = 8  # largest random shift in each step, in pixels


@dataclasses.dataclass(frozen=True)
class ChannelMap:
    """Activation of one channel on a picture."""

    channel: int
    mean: float  # over positions
    map: NDArray[np.float32]  # (h, w) raw activations


def strongest_channels(network: nn.Module, x: Tensor, layer: nn.Module, count: int = 6) -> list[ChannelMap]:
    """The channels of a layer with the largest mean activation on one picture, strongest first.

    Args:
        network: in eval mode.
        x: (1, 3, H, W).
        layer: with output (1, K, h, w).
        count: at most K.
    """
    if len(x) != 1:
        raise AttributionError(f"Expected one picture but got {len(x)}.")
    maps = activations(network, x, {"layer": layer})["layer"][0]  # (K, h, w)
    means = maps.mean((1, 2))
    best = means.argsort(descending=True, stable=True)[:count]
    return [ChannelMap(int(k), float(means[k]), maps[k].float().numpy()) for k in best]


def most_activating(
    network: nn.Module,
    pictures: Iterable[Image.Image],
    prepare: Callable[[Image.Image], Tensor],
    layer: nn.Module,
    channels: Sequence[int],
    count: int = 5,
) -> dict[int, list[tuple[int, float]]]:
    """Most activating pictures of each channel: channel -> [(index of the picture, mean activation)].

    Args:
        network: in eval mode.
        pictures: read one at a time.
        prepare: maps a picture to (V, 3, H, W); views are averaged.
        layer: with output (V, K, h, w).
        channels: indices in 0 … K-1.
        count: pictures per channel.
    """
    means = np.stack(
        [
            activations(network, prepare(p), {"layer": layer})["layer"]
            .mean((0, 2, 3))[list(channels)]
            .numpy()
            for p in pictures
        ]
    )
    order = np.argsort(-means, axis=0, kind="stable")[:count]
    return {
        channel: [(int(i), float(means[i, column])) for i in order[:, column]]
        for column, channel in enumerate(channels)
    }


def fourier_picture(spectrum: Tensor, size: int) -> Tensor:
    """(3, size, size // 2 + 1, 2) coefficients to an RGB picture (1, 3, size, size) in [0, 1].

    Coefficients are divided by their frequency and colours mixed as in natural pictures; zeros are gray.
    """
    rows = torch.fft.fftfreq(size)[:, None]
    columns = torch.fft.rfftfreq(size)[None]
    scale = size / torch.sqrt(rows**2 + columns**2).clamp(min=1 / size)  # (size, size // 2 + 1)
    plane = torch.fft.irfft2(torch.view_as_complex(spectrum) * scale, s=(size, size), norm="ortho")
    colours = torch.einsum("ck,khw->chw", COLOURS.to(plane), plane / (4 * size**0.5))
    return colours.sigmoid()[None]


def exciting_picture(
    network: nn.Module, layer: nn.Module, channel: int, size: int = 128, steps: int = 96, seed: int = 0
) -> tuple[Image.Image, list[float]]:
    """A picture that maximises a channel's activation, found by optimisation.

    Args:
        network: in eval mode, for RGB in [-1, 1].
        layer: with output (B, K, h, w).
        channel: 0 … K-1; its mean over positions is maximised.
        size: pixels of a side.
        steps: of Adam.
        seed: of the initial picture and the shifts.

    Returns:
        RGB picture, and the activation at every step.

    Raises:
        AttributionError: training mode, a layer without feature map, or an index that is no channel of it.
    """
    check_request(network, torch.zeros(1, 3, size, size), 0)
    kernels = activations(network, torch.zeros(1, 3, size, size), {"layer": layer}).get("layer")
    channels = 0 if kernels is None else kernels.shape[1]
    if not 0 <= channel < channels:
        raise AttributionError(f"Expected a channel in 0 … {channels - 1} but got {channel}.")
    generator = torch.Generator().manual_seed(seed)
    spectrum = 0.01 * torch.randn(3, size, size // 2 + 1, 2, generator=generator)
    history = []
    with torch.inference_mode(False), torch.enable_grad(), recording({"layer": layer}) as outputs:
        spectrum.requires_grad_(True)
        optimizer = torch.optim.Adam([spectrum], lr=0.05)
        for _ in range(steps):
            shift = torch.randint(-JITTER, JITTER + 1, (2,), generator=generator).tolist()
            picture = torch.roll(fourier_picture(spectrum, size), shift, (2, 3))
            network(2 * picture - 1)
            activation = outputs["layer"][0, channel].mean()
            (gradient,) = torch.autograd.grad(-activation, spectrum)
            spectrum.grad = gradient  # for the picture only; the network's gradients are untouched
            optimizer.step()
            history.append(float(activation.detach()))
        pixels = fourier_picture(spectrum.detach(), size)[0].permute(1, 2, 0)
    return Image.fromarray((255 * pixels).round().byte().numpy()), history
