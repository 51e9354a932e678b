"""DKSE, double-kernel squeeze-and-excitation: a light classifier with two receptive fields per module.

A module has two parallel depthwise-separable branches, U1 with a small kernel for strokes and U2 with a large
(or dilated) one for composition. Their sum is squeezed, and the result weights both branches:

    z = GAP(U1 + U2)                     squeeze
    (a, b) = softmax over branches of (W_a relu(W z), W_b relu(W z))
    V = a * U1 + b * U2                  each channel chooses its kernel
    Y = shortcut(X) + sigmoid(W_2 relu(W_1 GAP(V))) * V

The network is a stem, two depthwise-separable convolutions, DKSE modules, global average pooling and a linear
layer, without fully connected hidden layers. The paper writes both DSKE and DKSE; the literature writes DKSE.

Sources: "Painter's psychology and anime creation style based on deep neural networks", CIN 2022; DKSE-Net,
PLOS ONE 0313946; Li et al., "Selective Kernel Networks", CVPR 2019; Hu et al., CVPR 2018; Chollet,
"Xception", CVPR 2017.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from workbench.models.registry import register

Kernel = int | tuple[int, int]  # size, or (size, dilation)


def _parse(kernel: Kernel) -> tuple[int, int]:
    size, dilation = (kernel, 1) if isinstance(kernel, int) else (int(kernel[0]), int(kernel[1]))
    if size < 1 or size % 2 == 0 or dilation < 1:
        raise ValueError(f"Expected an odd kernel size and a dilation of at least 1 but got {kernel!r}.")
    return size, dilation


class SeparableConv(nn.Sequential):
    """Depthwise then pointwise convolution, each with batch norm; ReLU at the end.

    Shapes: (B, inputs, H, W) to (B, outputs, H/stride, W/stride).
    """

    def __init__(self, inputs: int, outputs: int, kernel: Kernel = 3, stride: int = 1):
        size, dilation = _parse(kernel)
        super().__init__(
            nn.Conv2d(
                inputs, inputs, size, stride, dilation * (size // 2), dilation, groups=inputs, bias=False
            ),
            nn.BatchNorm2d(inputs),
            nn.Conv2d(inputs, outputs, 1, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(inplace=True),
        )


class Excitation(nn.Module):
    """Channel gates in (0, 1): (B, c) to (B, c). Source: squeeze-and-excitation."""

    def __init__(self, channels: int, reduction: int):
        super().__init__()
        hidden = max(channels // reduction, 4)
        self.fc1, self.fc2 = nn.Linear(channels, hidden), nn.Linear(hidden, channels)

    def forward(self, z: Tensor) -> Tensor:
        return torch.sigmoid(self.fc2(torch.relu(self.fc1(z))))


class DKSEModule(nn.Module):
    """One double-kernel squeeze-and-excitation module: (B, inputs, H, W) to (B, outputs, H/s, W/s).

    Args:
        inputs: channels.
        outputs: channels.
        kernels: of the two branches.
        reduction: ratio of the squeeze, which keeps at least 4 units.
        stride: of both branches; with a stride or other channels the shortcut is a 1 × 1 convolution.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernels: Sequence[Kernel] = (3, 5),
        reduction: int = 8,
        stride: int = 1,
    ):
        super().__init__()
        if len(kernels) != 2:
            raise ValueError(f"Expected two kernels but got {kernels!r}.")
        self.branches = nn.ModuleList(SeparableConv(inputs, outputs, k, stride) for k in kernels)
        hidden = max(outputs // reduction, 4)
        self.squeeze = nn.Sequential(nn.Linear(outputs, hidden), nn.ReLU(inplace=True))
        self.select = nn.Linear(hidden, 2 * outputs)
        self.excite = Excitation(outputs, reduction)
        same = stride == 1 and inputs == outputs
        self.shortcut = (
            nn.Identity()
            if same
            else nn.Sequential(
                nn.AvgPool2d(stride, ceil_mode=True) if stride > 1 else nn.Identity(),
                nn.Conv2d(inputs, outputs, 1, bias=False),
                nn.BatchNorm2d(outputs),
            )
        )

    def forward(self, x: Tensor) -> Tensor:
        u = torch.stack([branch(x) for branch in self.branches], 1)  # (B, 2, C, H, W)
        logits = self.select(self.squeeze(u.sum(1).mean((2, 3)))).view(len(x), 2, -1)  # (B, 2, C)
        v = (torch.softmax(logits, 1)[..., None, None] * u).sum(1)  # (B, C, H, W)
        return self.shortcut(x) + self.excite(v.mean((2, 3)))[..., None, None] * v


class DKSENet(nn.Module):
    """The network; see :func:`dkse_small`."""

    def __init__(
        self,
        num_classes: int,
        kernels: Sequence[Kernel],
        reduction: int,
        modules: int,
        width: int,
        dropout: float,
    ):
        super().__init__()
        if modules < 1 or width < 4:
            raise ValueError(
                f"Expected 1 module or more and a width of 4 or more but got {modules} and {width}."
            )
        self.stem = nn.Sequential(
            nn.Conv2d(3, width, 3, 2, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU(inplace=True)
        )
        self.separable = nn.Sequential(
            SeparableConv(width, 2 * width, stride=2), SeparableConv(2 * width, 2 * width)
        )
        channels, blocks = 2 * width, []
        for i in range(modules):  # every second module halves the map and widens, twice
            down = i % 2 == 0 and i < 4
            outputs = channels * 2 if down else channels
            blocks.append(DKSEModule(channels, outputs, kernels, reduction, 2 if down else 1))
            channels = outputs
        self.blocks = nn.Sequential(*blocks)
        self.num_features, self.num_classes = channels, num_classes
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Linear(channels, num_classes) if num_classes else nn.Identity()

    def forward_features(self, x: Tensor) -> Tensor:
        """The last feature map, (B, C, H/16, W/16) with three modules or more."""
        return self.blocks(self.separable(self.stem(x)))

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.dropout(self.forward_features(x).mean((2, 3))))

    def group_matcher(self, coarse: bool = False) -> dict:
        """Layer groups, starting from the input (timm's convention)."""
        return {"stem": r"^(?:stem|separable)", "blocks": r"^blocks" if coarse else r"^blocks\.(\d+)"}

    def get_classifier(self) -> nn.Module:
        """The linear layer (timm's convention)."""
        return self.classifier


@register("classifier")
def dkse_small(
    num_classes: int = 5,
    kernels: Sequence[Kernel] = (3, 5),
    reduction: int = 8,
    modules: int = 6,
    width: int = 32,
    dropout: float = 0.2,
) -> nn.Module:
    """DKSE classifier, under 1 M parameters: (B, 3, H, W) RGB in [-1, 1] to logits (B, num_classes).

    Args:
        num_classes: length of the logits; 0 gives the pooled features.
        kernels: of the two branches, each an odd size or (size, dilation), e.g. ``(3, (3, 2))``.
        reduction: ratio of the squeezes.
        modules: number of DKSE modules.
        width: channels of the stem; the deepest map has 8 times as many.
        dropout: of pooled features while training.

    Raises:
        ValueError: an even kernel or no module.
    """
    # a card's JSON has lists
    pair = [k if isinstance(k, int) else (int(k[0]), int(k[1])) for k in kernels]
    return DKSENet(num_classes, pair, reduction, modules, width, dropout)
