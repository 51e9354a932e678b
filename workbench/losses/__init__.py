"""Training losses, one per file: tensors in, a scalar tensor out."""

from workbench.losses.adversarial import (
    cross_entropy_loss,
    edge_promoting_loss,
    hinge_discriminator_loss,
    hinge_generator_loss,
    least_squares_loss,
)
from workbench.losses.boundary import boundary_loss, edge_map, smooth_edges
from workbench.losses.cam import cam_loss
from workbench.losses.color import color_loss, gray, rgb_to_yuv
from workbench.losses.color_block import color_block_loss, region_means
from workbench.losses.content import content_loss
from workbench.losses.gram import gram_loss, gram_matrix
from workbench.losses.lines import gradient_loss, line_loss, line_map
from workbench.losses.mask import mask_loss
from workbench.losses.spectral import log_spectrum, radial_profile, spectral_style_loss
from workbench.losses.texture import random_gray
from workbench.losses.tv import total_variation_loss

__all__ = [
    "boundary_loss",
    "cam_loss",
    "color_block_loss",
    "color_loss",
    "content_loss",
    "cross_entropy_loss",
    "edge_map",
    "edge_promoting_loss",
    "gradient_loss",
    "gram_loss",
    "gram_matrix",
    "gray",
    "hinge_discriminator_loss",
    "hinge_generator_loss",
    "least_squares_loss",
    "line_loss",
    "line_map",
    "log_spectrum",
    "mask_loss",
    "radial_profile",
    "random_gray",
    "region_means",
    "rgb_to_yuv",
    "smooth_edges",
    "spectral_style_loss",
    "total_variation_loss",
]
