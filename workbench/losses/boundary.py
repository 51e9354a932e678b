"""Boundary loss: the drawing keeps the strong edges of the photo and adds none in its flat areas.

:func:`smooth_edges` serves the adversarial counterpart, CartoonGAN's edge-promoting loss (CVPR 2018), in
which style pictures with blurred edges are fakes.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from workbench.losses.color import rgb_to_yuv

_SOBEL = ((1.0, 0.0, -1.0), (2.0, 0.0, -2.0), (1.0, 0.0, -1.0))


def edge_map(image: Tensor) -> Tensor:
    """Sobel magnitude of luma, (B, 3, H, W) → (B, 1, H, W), per unit step (a step of 1 gives about 1)."""
    luma = F.pad(rgb_to_yuv(image)[:, :1], (1, 1, 1, 1), mode="replicate")
    kernel = image.new_tensor(_SOBEL).div(4)
    gradient = F.conv2d(luma, torch.stack([kernel, kernel.T]).unsqueeze(1))
    return (gradient.square().sum(1, keepdim=True) + 1e-6).sqrt() - 1e-3  # finite gradient at zero


def boundary_loss(drawing: Tensor, photo: Tensor, strong: float = 0.25, weak: float = 0.06) -> Tensor:
    """Missing edge strength on the photo's edges plus added edge strength in its flat areas.

    Args:
        drawing: (B, 3, H, W) in [-1, 1].
        photo: same shape; no gradient flows into it.
        strong: edge magnitude from which a pixel of the photo is an edge.
        weak: edge magnitude below which it is flat.

    Returns:
        Scalar ≥ 0.

    Raises:
        ValueError: if shapes differ, or ``weak`` is not below ``strong``.
    """
    if drawing.shape != photo.shape:
        raise ValueError(f"Expected equal shapes but got {tuple(drawing.shape)} and {tuple(photo.shape)}.")
    if not 0 <= weak < strong:
        raise ValueError(f"Expected 0 ≤ `weak` < `strong` but got {weak} and {strong}.")
    of_drawing, of_photo = edge_map(drawing), edge_map(photo.detach())
    border = ((of_photo - weak) / (strong - weak)).clamp(0, 1)  # soft membership, 0 flat … 1 edge
    missing = border * F.relu(of_photo.clamp_min(strong) - of_drawing)
    invented = (1 - border) * F.relu(of_drawing - of_photo)
    return (missing + invented).mean()


def smooth_edges(image: Tensor, sigma: float = 1.5, threshold: float = 0.2) -> Tensor:
    """Style pictures with blurred edges: fakes that teach a discriminator to prefer clear edges.

    Args:
        image: (B, 3, H, W) in [-1, 1].
        sigma: blur in pixels.
        threshold: edge magnitude from which a pixel and its neighbours (radius 2) are blurred.
    """
    offsets = torch.arange(-4, 5, device=image.device, dtype=image.dtype)
    kernel = torch.exp(-offsets.square() / (2 * sigma**2))
    kernel = kernel / kernel.sum()
    weight = kernel.expand(3, 1, 1, -1)
    blurred = F.conv2d(F.pad(image, (4, 4, 0, 0), mode="replicate"), weight, groups=3)
    blurred = F.conv2d(F.pad(blurred, (0, 0, 4, 4), mode="replicate"), weight.transpose(2, 3), groups=3)
    mask = F.max_pool2d((edge_map(image) > threshold).to(image.dtype), 5, stride=1, padding=2)
    return image + mask * (blurred - image)
