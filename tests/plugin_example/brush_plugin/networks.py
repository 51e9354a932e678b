"""A generator small enough to read."""

from torch import Tensor, nn

from workbench.models import register


class PocketSketch(nn.Module):
    """Photo in, drawing out, both (B, 3, H, W) in [-1, 1]."""

    def __init__(self, width: int = 8):
        super().__init__()
        self.change = nn.Sequential(
            nn.Conv2d(3, width, 3, padding=1), nn.ReLU(), nn.Conv2d(width, 3, 3, padding=1)
        )

    def forward(self, photo: Tensor) -> Tensor:
        """The photo plus what was learnt, in range."""
        return (photo + self.change(photo)).clamp(-1, 1)


@register("generator")
def pocket_sketch(**kwargs) -> PocketSketch:
    """443 parameters by default."""
    return PocketSketch(**kwargs)
