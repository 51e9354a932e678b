"""CAM loss: the auxiliary classifier of the attention must distinguish the two domains.

Source: U-GAT-IT, Kim et al., ICLR 2020, equation 4: binary cross-entropy for the generator's classifier;
those of the discriminators use :func:`workbench.losses.least_squares_loss`.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor


def cam_loss(photo_logits: Tensor, style_logits: Tensor) -> Tensor:
    """Mean cross-entropy of "is a photo": photos should score above zero, style pictures below.

    Args:
        photo_logits: auxiliary scores of photos, any shape.
        style_logits: auxiliary scores of style pictures, any shape.

    Returns:
        Scalar ≥ 0; 2 · ln 2 at chance.
    """
    return F.softplus(-photo_logits).mean() + F.softplus(style_logits).mean()
