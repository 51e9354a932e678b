"""U-GAT-IT's light networks, re-implemented for comparison. No weights are shipped.

An auxiliary classifier's class-activation map tells the decoder where the two domains differ, and the
decoder's normalisation takes its γ and β from the attended features. "Light" means that γ and β come from
globally pooled features; in the full network they come from fully connected layers on all positions, which
fix the picture's size and hold most of its 279 M parameters.

Source: J. Kim, M. Kim, H. Kang, K. Lee, "U-GAT-IT: unsupervised generative attentional networks with adaptive
layer-instance normalization for image-to-image translation" (ICLR 2020), figure 1 and appendix tables 4 to 6.
The attention and the adaptive normalisation are shared with :mod:`workbench.models.afgan`. Departure from the
paper: a LeakyReLU of 0.2 instead of ReLU after the attention.
"""

from __future__ import annotations

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from workbench.models.afgan import CAM, RHO_MARGIN, AdaLIN
from workbench.models.registry import register


def _conv(inputs: int, outputs: int, kernel: int = 3, stride: int = 1) -> nn.Sequential:
    """Reflection padding and a convolution without bias."""
    pad = nn.ReflectionPad2d(kernel // 2)
    return nn.Sequential(pad, nn.Conv2d(inputs, outputs, kernel, stride, bias=False))


def _conv_norm_relu(inputs: int, outputs: int, kernel: int = 3, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(_conv(inputs, outputs, kernel, stride), nn.InstanceNorm2d(outputs), nn.ReLU())


class EncoderBlock(nn.Module):
    """x + norm(conv(relu(norm(conv(x))))), instance normalisation."""

    def __init__(self, channels: int):
        super().__init__()
        self.layers = nn.Sequential(
            _conv_norm_relu(channels, channels), _conv(channels, channels), nn.InstanceNorm2d(channels)
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.layers(x)


class DecoderBlock(nn.Module):
    """:class:`EncoderBlock` with adaptive layer-instance normalisation; γ and β are inputs."""

    def __init__(self, channels: int):
        super().__init__()
        self.conv1, self.conv2 = _conv(channels, channels), _conv(channels, channels)
        self.norm1, self.norm2 = AdaLIN(channels), AdaLIN(channels)

    def forward(self, x: Tensor, gamma: Tensor, beta: Tensor) -> Tensor:
        y = F.relu(self.norm1(self.conv1(x), gamma, beta))
        return x + self.norm2(self.conv2(y), gamma, beta)


class LIN(AdaLIN):
    """Layer-instance normalisation with learnt γ, β and ρ; ρ starts near 0 (layer normalisation)."""

    def __init__(self, channels: int):
        super().__init__(channels)
        nn.init.constant_(self.rho, RHO_MARGIN)
        self.gamma = nn.Parameter(torch.ones(1, channels, 1, 1))
        self.beta = nn.Parameter(torch.zeros(1, channels, 1, 1))

    def forward(self, x: Tensor) -> Tensor:  # type: ignore[override]
        return super().forward(x, self.gamma, self.beta)


def _up(inputs: int, outputs: int) -> nn.Sequential:
    """Nearest upsampling by 2, convolution, layer-instance normalisation."""
    return nn.Sequential(nn.Upsample(scale_factor=2), _conv(inputs, outputs), LIN(outputs), nn.ReLU())


class UGATITLightGenerator(nn.Module):
    """Photo in, drawing out, both (B, 3, H, W) in [-1, 1]; H and W multiples of 4, at least 16.

    Args:
        width: channels at full size.
        blocks: residual blocks before the attention, and as many after it.
    """

    def __init__(self, width: int = 64, blocks: int = 4):
        super().__init__()
        inner = 4 * width
        self.encoder = nn.Sequential(
            _conv_norm_relu(3, width, kernel=7),
            _conv_norm_relu(width, 2 * width, stride=2),
            _conv_norm_relu(2 * width, inner, stride=2),
            *(EncoderBlock(inner) for _ in range(blocks)),
        )
        self.cam = CAM(inner)
        self.pooled = nn.Sequential(
            nn.Linear(inner, inner, bias=False), nn.ReLU(), nn.Linear(inner, inner, bias=False), nn.ReLU()
        )
        self.gamma, self.beta = nn.Linear(inner, inner, bias=False), nn.Linear(inner, inner, bias=False)
        self.decoder = nn.ModuleList(DecoderBlock(inner) for _ in range(blocks))
        self.up = nn.Sequential(
            _up(inner, 2 * width), _up(2 * width, width), _conv(width, 3, kernel=7), nn.Tanh()
        )

    def attend(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The drawing, and the auxiliary classifier's logits (B, 2)."""
        y, logits, _ = self.cam(self.encoder(x))
        pooled = self.pooled(F.adaptive_avg_pool2d(y, 1).flatten(1))
        gamma, beta = (layer(pooled)[..., None, None] for layer in (self.gamma, self.beta))
        for block in self.decoder:
            y = block(y, gamma, beta)
        return self.up(y), logits

    def forward(self, x: Tensor) -> Tensor:
        return self.attend(x)[0]


class UGATITDiscriminator(nn.Module):
    """Strided convolutions, then class-activation attention, then the scores.

    Args:
        strides: number of halvings of the size; 3 scores patches ("local"), 5 nearly the whole picture
            ("global").
        base: channels of the first layer; they double with each layer.

    Shapes: input (B, 3, H, W) with sides of at least 32 for 3 and 128 for 5 halvings; output a score map, and
        auxiliary logits (B, 2).
    """

    def __init__(self, strides: int = 3, base: int = 64):
        super().__init__()
        channels = [3, *(base * 2**i for i in range(strides + 1))]
        layers: list[nn.Module] = []
        for i, (inputs, outputs) in enumerate(pairwise(channels)):
            conv = nn.Conv2d(inputs, outputs, 4, stride=2 if i < strides else 1)
            layers += [nn.ReflectionPad2d(1), spectral_norm(conv), nn.LeakyReLU(0.2)]
        self.layers = nn.Sequential(*layers)
        self.cam = CAM(channels[-1], normalised=True)
        score = nn.Conv2d(channels[-1], 1, 4, bias=False)
        self.score = nn.Sequential(nn.ReflectionPad2d(1), spectral_norm(score))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        attended, logits, _ = self.cam(self.layers(x))
        return self.score(attended), logits


@register("generator")
def ugatit_light(**kwargs) -> UGATITLightGenerator:
    """10.6 M parameters, about 52.5 GMACs at 256×256."""
    return UGATITLightGenerator(**kwargs)


@register("discriminator")
def ugatit_discriminator(**kwargs) -> UGATITDiscriminator:
    """U-GAT-IT's local or global discriminator."""
    return UGATITDiscriminator(**kwargs)
