"""The shallow patch discriminator of CartoonGAN and AnimeGAN.

A flat convolution, two strided ones each followed by a flat one, a 3×3 layer and the scores, at a quarter of
the size. It is shallow because small patches show whether a picture is a cartoon.

Source: Y. Chen, Y.-K. Lai, Y.-J. Liu, "CartoonGAN" (CVPR 2018), figure 2, with instance normalisation as in
its reference implementation; J. Chen, G. Liu, X. Chen, "AnimeGAN" (ISICA 2019) normalises over all channels
and adds spectral normalisation.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from workbench.models.registry import register


class CartoonDiscriminator(nn.Module):
    """Scores patches of a picture.

    Args:
        base: channels of the first layer.
        norm: "instance" (CartoonGAN) or "layer" (AnimeGAN).
        spectral: spectral normalisation of every convolution (AnimeGAN).

    Shapes: input (B, 3, H, W) with sides of at least 8, output one map (B, 1, ⌈H/4⌉, ⌈W/4⌉) of logits.

    Raises:
        ValueError: another ``norm``.
    """

    def __init__(self, base: int = 32, norm: str = "instance", spectral: bool = False):
        super().__init__()
        if norm not in ("instance", "layer"):
            raise ValueError(f"Expected `norm` to be 'instance' or 'layer' but got {norm!r}.")

        def conv(inputs: int, outputs: int, stride: int = 1) -> nn.Module:
            layer = nn.Conv2d(inputs, outputs, 3, stride, padding=1)
            return spectral_norm(layer) if spectral else layer

        def norm_act(channels: int) -> tuple[nn.Module, nn.Module]:
            layer = (
                nn.InstanceNorm2d(channels, affine=True) if norm == "instance" else nn.GroupNorm(1, channels)
            )
            return layer, nn.LeakyReLU(0.2)

        self.layers = nn.Sequential(
            conv(3, base),
            nn.LeakyReLU(0.2),
            conv(base, 2 * base, stride=2),
            nn.LeakyReLU(0.2),
            conv(2 * base, 4 * base),
            *norm_act(4 * base),
            conv(4 * base, 4 * base, stride=2),
            nn.LeakyReLU(0.2),
            conv(4 * base, 8 * base),
            *norm_act(8 * base),
            conv(8 * base, 8 * base),
            *norm_act(8 * base),
            conv(8 * base, 1),
        )

    def forward(self, x: Tensor) -> list[Tensor]:
        if x.ndim != 4 or x.shape[1] != 3:
            raise ValueError(f"Expected (B, 3, H, W) but got {tuple(x.shape)}.")
        return [self.layers(x)]


@register("discriminator")
def cartoon_discriminator(**kwargs) -> CartoonDiscriminator:
    """Discriminator of CartoonGAN and AnimeGAN; one score per 4×4 pixels."""
    return CartoonDiscriminator(**kwargs)
