"""CAM loss: the auxiliary classifier behind the attention must tell the two domains apart.

Source: U-GAT-IT, Kim et al., ICLR 2020, equation 4: binary cross-entropy for the generator's classifier; the
    discriminators' learn by :func:`workbench.losses.least_squares_loss`.
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
        Scalar ≥ 0; 2 · ln 2 where the classifier knows nothing.
    """
    return F.softplus(-photo_logits).mean() + F.softplus(style_logits).mean()
