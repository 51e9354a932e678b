"""Faithfulness by perturbation of the picture: deletion and insertion, infidelity, sensitivity.

Removed parts are replaced by a given fill, and always in whole cells: removing scattered single pixels would
make a texture outside the training distribution, which would distort the scores of fine-grained maps.

Sources: Petsiuk et al., "RISE", BMVC 2018 (deletion, insertion); Samek et al., IEEE TNNLS 2017 (regions);
Yeh et al., "On the (In)fidelity and Sensitivity of Explanations", NeurIPS 2019, through captum.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from workbench.interpret.attribution import AttributionError, check_classes, check_request
from workbench.interpret.localisation import cells
from workbench.interpret.methods import filled

_BATCH = 64  # pictures per forward pass, to bound memory


def _check(network: nn.Module, x: Tensor, target: Tensor, maps: Tensor) -> None:
    check_request(network, x, target)
    if maps.shape != (len(x), *x.shape[2:]):
        raise AttributionError(
            f"Expected maps of shape {(len(x), *x.shape[2:])} but got {tuple(maps.shape)}."
        )


def _logits(network: nn.Module, x: Tensor) -> Tensor:
    return torch.cat([network(part) for part in x.split(_BATCH)])


def removal_order(maps: Tensor, count: int) -> Tensor:
    """(B, count²) rank of each cell, 0 for the most relevant; equal cells in reading order."""
    relevance = cells(maps, count).flatten(1)
    order = relevance.argsort(dim=1, descending=True, stable=True)
    return order.argsort(dim=1)


@torch.no_grad()
def deletion_insertion(
    network: nn.Module,
    x: Tensor,
    target: Tensor,
    maps: Tensor,
    fill: str = "blur",
    count: int = 8,
    steps: int = 8,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Areas under the curves of class probability as cells are deleted or inserted, most relevant first.

    Args:
        network: in eval mode.
        x: (B, 3, H, W).
        target: (B,) classes.
        maps: (B, H, W) raw.
        fill: of missing cells, see :func:`~workbench.interpret.methods.filled`.
        count: cells per side.
        steps: points of a curve after the first.

    Returns:
        deletion (B,), low for a faithful map, and insertion (B,), high for one; both in [0, 1], by the
        trapezoid rule over the share of cells.

    Raises:
        AttributionError: training mode, or shapes that do not fit.
    """
    _check(network, x, target, maps)
    count = min(count, *x.shape[2:])
    ranks, empty = removal_order(maps, count), filled(x, fill)
    curves = []
    for start, other in ((x, empty), (empty, x)):
        points = []
        for step in range(steps + 1):
            taken = (ranks < round(count**2 * step / steps)).view(-1, 1, count, count).to(x.dtype)
            taken = F.interpolate(taken, x.shape[2:], mode="nearest")
            p = _logits(network, taken * other + (1 - taken) * start).softmax(1)
            points.append(p.gather(1, target[:, None])[:, 0].double())
        curves.append(torch.trapezoid(torch.stack(points), dx=1 / steps, dim=0).numpy())
    return curves[0], curves[1]


class _Replay:
    """Caches a function's results, so that all maps are scored on the same perturbations."""

    def __init__(self, function: Callable[[Tensor], Tensor]):
        self.calls: list[Any] = []
        self.function, self.position = function, 0

    def __call__(self, masks: Tensor) -> Tensor:
        if self.position == len(self.calls):
            self.calls.append((masks, self.function(masks)))
        earlier, result = self.calls[self.position]
        if not torch.equal(earlier, masks):
            raise RuntimeError("The perturbations differ between two maps.")
        self.position += 1
        return result


@torch.no_grad()
def infidelity(
    network: nn.Module,
    x: Tensor,
    target: Tensor,
    maps: Mapping[str, Tensor],
    fill: str = "blur",
    samples: int = 16,
    seed: int = 0,
) -> dict[str, NDArray[np.float64]]:
    """Share of the logit's change under random occlusions that each map leaves unexplained.

    A random square (a quarter to a half of each side) is replaced; a faithful map's sum over it predicts the
    decrease of the logit. Each map is first scaled by its optimal factor (captum's ``normalize``), and the
    mean squared error is divided by that of an all-zero map: 0 is a perfect prediction, 1 none.

    Args:
        network: in eval mode.
        x: (B, 3, H, W).
        target: (B,) classes.
        maps: name -> (B, H, W) raw.
        fill: of the squares.
        samples: squares per picture.
        seed: of the squares.

    Returns:
        name -> (B,) in [0, 1].
    """
    from captum.metrics import infidelity as captum_infidelity  # imported late, as it loads matplotlib

    for found in maps.values():
        _check(network, x, target, found)
    check_classes(target, network(x[:1]).shape[1])
    empty, shape = filled(x, fill), x.shape[2:]

    def forward(masks: Tensor) -> Tensor:  # (B · n, 1, H, W), n copies of a picture side by side
        n = len(masks) // len(x)
        copies = [t.repeat_interleave(n, 0) for t in (x, empty)]
        return _logits(network, masks * copies[0] + (1 - masks) * copies[1]).double()

    def judge(heat_maps: Tensor, normalize: bool) -> Tensor:
        generator = torch.Generator().manual_seed(seed)

        def remove(masks: Tensor) -> tuple[Tensor, Tensor]:
            kept = masks.clone()
            for mask in kept:
                size = [int(s * (0.25 + 0.25 * torch.rand((), generator=generator))) or 1 for s in shape]
                top, left = (
                    int(torch.randint(s - k + 1, (), generator=generator))
                    for s, k in zip(shape, size, strict=True)
                )
                mask[:, top : top + size[0], left : left + size[1]] = 0
            return masks - kept, kept

        replay.position = 0
        whole = torch.ones(len(x), 1, *shape, dtype=x.dtype)
        return captum_infidelity(
            replay,
            remove,
            whole,
            heat_maps[:, None].to(x.dtype),
            target=target,
            n_perturb_samples=samples,
            normalize=normalize,
        )

    replay = _Replay(forward)
    change = judge(torch.zeros(len(x), *shape), normalize=False).double()  # mean squared change of the logit
    result = {}
    for name, found in maps.items():
        # scaled so that squares do not underflow in float32
        scaled = found / found.abs().amax((1, 2), keepdim=True).clamp(min=1e-30)
        error = judge(scaled, normalize=True).double()
        share = torch.where(change > 0, error / change, torch.ones_like(change))
        result[name] = share.clamp(0, 1).numpy()
    return result


def sensitivity(
    explain: Callable[[Tensor, Tensor], Tensor],
    x: Tensor,
    target: Tensor,
    radius: float = 0.02,
    samples: int = 3,
    seed: int = 0,
) -> NDArray[np.float64]:
    """Largest relative change of a map under imperceptible noise: (B,), 0 or more.

    Args:
        explain: maps pictures (B, 3, H, W) and classes (B,) to maps (B, H, W).
        x: pictures.
        target: (B,).
        radius: of the uniform noise, in the units of ``x`` (.02 is 2.5 gray levels of 255 for mean and
            standard deviation .5).
        samples: noise samples per picture.
        seed: of the noise.

    A map that ignores the network may have 0, so stability alone is not enough.
    """
    from captum.metrics import sensitivity_max

    generator = torch.Generator().manual_seed(seed)

    def noise(inputs, perturb_radius):
        return inputs + perturb_radius * (2 * torch.rand(inputs.shape, generator=generator) - 1)

    def explained(inputs, target):  # captum expects a tuple for a tuple
        return (explain(inputs[0], target),) if isinstance(inputs, tuple) else explain(inputs, target)

    result = sensitivity_max(
        explained,
        x,
        perturb_func=noise,
        perturb_radius=radius,
        n_perturb_samples=samples,
        max_examples_per_batch=len(x),
        target=target,
    )
    return result.double().numpy()
