"""CartoonGAN's generator, re-implemented for comparison. No weights are shipped.

Source: Y. Chen, Y.-K. Lai, Y.-J. Liu, "CartoonGAN: generative adversarial networks for photo cartoonization"
(CVPR 2018), figure 2: a flat 7×7 convolution, two down-convolution blocks, eight residual blocks, two
up-convolution blocks and a 7×7 convolution, with instance normalisation (as in its reference implementation).
"""

from __future__ import annotations

from torch import Tensor, nn

from workbench.models.registry import register


def _norm_relu(channels: int) -> tuple[nn.Module, nn.Module]:
    return nn.InstanceNorm2d(channels, affine=True), nn.ReLU()


class ResidualBlock(nn.Module):
    """x + norm(conv3×3(relu(norm(conv3×3(x)))))."""

    def __init__(self, channels: int):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1),
            *_norm_relu(channels),
            nn.Conv2d(channels, channels, 3, padding=1),
            nn.InstanceNorm2d(channels, affine=True),
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.layers(x)


def _down(inputs: int, outputs: int) -> list[nn.Module]:
    """Stride-2 convolution, then a flat one: half the size."""
    return [
        nn.Conv2d(inputs, outputs, 3, stride=2, padding=1),
        nn.Conv2d(outputs, outputs, 3, padding=1),
        *_norm_relu(outputs),
    ]


def _up(inputs: int, outputs: int) -> list[nn.Module]:
    """Transposed convolution (fractional stride ½), then a flat one: twice the size."""
    return [
        nn.ConvTranspose2d(inputs, outputs, 3, stride=2, padding=1, output_padding=1),
        nn.Conv2d(outputs, outputs, 3, padding=1),
        *_norm_relu(outputs),
    ]


class CartoonGANGenerator(nn.Sequential):
    """Photo in, cartoon out, both (B, 3, H, W) in [-1, 1]; H and W multiples of 4."""

    def __init__(self, width: int = 64, blocks: int = 8):
        super().__init__(
            nn.Conv2d(3, width, 7, padding=3),
            *_norm_relu(width),
            *_down(width, 2 * width),
            *_down(2 * width, 4 * width),
            *(ResidualBlock(4 * width) for _ in range(blocks)),
            *_up(4 * width, 2 * width),
            *_up(2 * width, width),
            nn.Conv2d(width, 3, 7, padding=3),
            nn.Tanh(),
        )


@register("generator")
def cartoongan() -> CartoonGANGenerator:
    """11.13 M parameters, about 54 GMACs at 256×256."""
    return CartoonGANGenerator()
