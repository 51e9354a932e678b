"""The atelier: a procedural painter whose pictures have a known mood, known factors and a known mood region.

>>> from workbench.data.atelier import paint
>>> picture = paint("serenity", seed=3)
>>> picture.image.size, picture.mask.shape
((256, 256), (256, 256))
"""

from workbench.data.atelier.dataset import is_atelier, open_dataset, read_mask, write_atelier
from workbench.data.atelier.factors import FACTORS, MOODS
from workbench.data.atelier.painting import MOTIFS, AtelierPainting, paint
from workbench.data.atelier.paper import PAPERS, SEALS
from workbench.data.atelier.raters import simulate_ratings

__all__ = [
    "FACTORS",
    "MOODS",
    "MOTIFS",
    "PAPERS",
    "SEALS",
    "AtelierPainting",
    "is_atelier",
    "open_dataset",
    "paint",
    "read_mask",
    "simulate_ratings",
    "write_atelier",
]
