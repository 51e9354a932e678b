"""LeNet-5 with a choice of activation, pooling and head, to teach the parts of a convolutional network.

    C1 5×5 → activation → pool 2×2 → C3 5×5 → activation → pool 2×2 → C5 5×5 → activation → head

with 6, 16 and 120 maps. The head is LeNet-5's fully connected one, which flattens C5's maps (so the picture's
size is fixed and the next layer grows with its square), or global average pooling (GAP), which takes the mean
of each map and so accepts any size and has no weights but the last layer's.

Departures from LeNet-5: pictures are RGB, C3 sees every map of C1, pooling has no weights of its own,
the output is linear (logits for a softmax), and all weights start from Glorot's uniform distribution.

Sources: LeCun et al., "Gradient-Based Learning Applied to Document Recognition", Proc. IEEE 1998; Zeiler and
Fergus, "Stochastic Pooling for Regularization of Deep Convolutional Neural Networks", ICLR 2013,
arXiv:1301.3557; Lin, Chen and Yan, "Network in Network", ICLR 2014, arXiv:1312.4400 (GAP); Glorot and Bengio,
"Understanding the difficulty of training deep feedforward neural networks", AISTATS 2010.
"""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from workbench.models.registry import register

ACTIVATIONS: dict[str, type[nn.Module]] = {"sigmoid": nn.Sigmoid, "tanh": nn.Tanh, "relu": nn.ReLU}
POOLINGS = ("max", "mean", "stochastic")
HEADS = ("fc", "gap")
MAPS = (6, 16, 120)  # of C1, C3 and C5
HIDDEN = 84  # of the fully connected head
LEAST_SIDE = 32  # pixels, at which C5 has one position left


class StochasticPool2d(nn.Module):
    """Stochastic pooling: samples one value of each window in training, averages them in evaluation.

    In training a_i ≥ 0 is sampled with probability p_i = a_i / Σ a; in evaluation the result is the
    expectation Σ p_i a_i. A window of zeros gives zero. Use it after a ReLU or a sigmoid: negative
    activations have no probability.

    Args:
        size: side of the windows, which do not overlap; incomplete windows at the border are dropped.

    Shapes: input (B, C, H, W), output (B, C, H // size, W // size).

    Source: Zeiler and Fergus 2013.
    """

    def __init__(self, size: int = 2):
        super().__init__()
        if size < 1:
            raise ValueError(f"Expected windows of 1 or more but got {size}.")
        self.size = size

    def forward(self, x: Tensor) -> Tensor:
        b, c, h, w = x.shape
        k, rows, columns = self.size, h // self.size, w // self.size
        x = x[..., : rows * k, : columns * k].reshape(b, c, rows, k, columns, k)
        windows = x.permute(0, 1, 2, 4, 3, 5).reshape(b, c, rows, columns, k * k)
        weights = windows.clamp_min(0)
        if not self.training:
            total = weights.sum(-1)
            return (weights * windows).sum(-1) / total.clamp_min(torch.finfo(x.dtype).tiny)
        # the greatest a_i / e_i with e_i drawn from Exp(1) is at i with probability p_i
        race = weights.detach() / torch.empty_like(weights).exponential_()
        return windows.gather(-1, race.argmax(-1, keepdim=True)).squeeze(-1)

    def extra_repr(self) -> str:
        return f"size={self.size}"


class LeNet(nn.Module):
    """The network; see :func:`lenet`."""

    def __init__(self, num_classes: int, activation: str, pooling: str, head: str, size: int, gain: float):
        super().__init__()
        for what, value, known in (
            ("activation", activation, ACTIVATIONS),
            ("pooling", pooling, POOLINGS),
            ("head", head, HEADS),
        ):
            if value not in known:
                raise ValueError(f"Expected `{what}` to be one of {', '.join(known)} but got {value!r}.")
        if activation == "tanh" and pooling == "stochastic":
            raise ValueError("Expected activations of 0 or more for stochastic pooling but tanh has others.")
        if size < LEAST_SIDE:
            raise ValueError(f"Expected a side of at least {LEAST_SIDE} pixels but got {size}.")
        act = ACTIVATIONS[activation]
        pools = {"max": nn.MaxPool2d, "mean": nn.AvgPool2d, "stochastic": StochasticPool2d}
        pool = pools[pooling]
        c1, c3, c5 = MAPS
        self.features = nn.Sequential(
            OrderedDict(
                c1=nn.Conv2d(3, c1, 5),
                act1=act(),
                pool2=pool(2),
                c3=nn.Conv2d(c1, c3, 5),
                act3=act(),
                pool4=pool(2),
                c5=nn.Conv2d(c3, c5, 5),
                act5=act(),
            )
        )
        self.size, self.head = size, head
        self.num_features = HIDDEN if head == "fc" else c5
        side = ((size - 4) // 2 - 4) // 2 - 4
        if head == "fc":
            self.hidden = nn.Sequential(OrderedDict(f6=nn.Linear(c5 * side**2, HIDDEN), act6=act()))
        self.classifier = nn.Linear(self.num_features, num_classes) if num_classes else nn.Identity()
        for module in self.modules():
            if isinstance(module, (nn.Conv2d, nn.Linear)):
                nn.init.xavier_uniform_(module.weight, gain)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    def forward(self, x: Tensor) -> Tensor:
        if self.head == "fc" and x.shape[-2:] != (self.size, self.size):
            raise ValueError(
                f"Expected pictures of {self.size}×{self.size}, for which the fully connected head was made, "
                f"but got {x.shape[-2]}×{x.shape[-1]}. Resize them, or use head='gap', which takes any size."
            )
        maps = self.features(x)  # (B, 120, H', W')
        if self.head == "gap":
            return self.classifier(F.adaptive_avg_pool2d(maps, 1).flatten(1))
        return self.classifier(self.hidden(maps.flatten(1)))


@register("classifier")
def lenet(
    num_classes: int = 5,
    activation: str = "relu",
    pooling: str = "max",
    head: str = "fc",
    size: int = 64,
    gain: float = 1.0,
) -> nn.Module:
    """LeNet-5 for colour pictures: (B, 3, H, W) in [-1, 1] to logits (B, num_classes).

    LeNet-5 itself is ``activation="tanh", pooling="mean", head="fc", size=32``.

    Args:
        num_classes: length of the logits; 0 gives the last features.
        activation: "sigmoid", "tanh" or "relu", after every layer but the last.
        pooling: "max", "mean" or "stochastic" (not with tanh).
        head: "fc" (84 hidden units on the flattened maps) or "gap" (the mean of each map).
        size: side in pixels of the pictures, 32 or more; with the GAP head they may have any other side ≥ 32.
        gain: factor on the initial weights; 1 is Glorot's initialisation.

    Raises:
        ValueError: an unknown part, or parts that cannot be combined.
    """
    return LeNet(num_classes, activation, pooling, head, size, gain)
