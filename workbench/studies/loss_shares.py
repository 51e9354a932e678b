"""Study 14 b: what do the spectral, boundary and colour-block losses do once they have weight?

In study 14 each loss's share of the gradient was neither set nor recorded; if it was small, leaving the loss
out cannot change much. Here one of them at a time is added to the recipe without all three, and in every step
its gradient at the drawing is scaled to a fixed share of the others' (10, 30 and 100 %). All trainings start
from the same shipped weights and see the same crops in the same order with the same noise. Crops are not
resized, also not before their spectrum is computed.

Stated before any training: the nine planned contrasts are KID-lite0 × 1000 with a loss less that without,
corrected by Holm. :data:`MARGIN` is 3 % of the way from the photos to the style (115.0 to 7.7 in
``stylizers.csv``): an interval within it says "no difference"; one on one side of 0 whose p after the
correction is below 0.05 a better or worse picture by this measure; and any other one nothing. Each loss's
own measure (distance of spectra, edges of the photo that are kept, variance inside its regions) says whether
the loss did its work.

The spectral loss departs from the paper's equation: least squares instead of cross entropy, log power of
windowed luma, standardised frequency by frequency, and an L1 anchor to the radial profile; raw spectra make
it explode (:mod:`workbench.losses.spectral`). Edge-smoothed pictures of the style stay fakes of the gray
discriminator in all trainings, also without the boundary loss.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from workbench import models
from workbench.core.cache import Cache
from workbench.core.runs import read_rows, write_rows
from workbench.data.scenes import load_pictures, names_of_role, picture_names
from workbench.metrics.bootstrap import Resamples, columns, mean_difference
from workbench.metrics.paired import holm
from workbench.studies.study import TableStudy, register
from workbench.studies.stylizer_pairs import resample_measures
from workbench.studies.stylizer_pictures import SHORT_SIDE, episodes, read_photos, read_style
from workbench.studies.stylizers import Evaluator, weights_of
from workbench.training.configs import DistilledConfig, FSGANConfig
from workbench.training.recipes.base import total
from workbench.training.recipes.fsgan import FSGAN
from workbench.training.scene_data import SceneData
from workbench.training.trainer import Trainer

NONE = "none"
TERMS: dict[str, dict[str, Any]] = {  # losses that are added, with the weight that switches each on
    "spectral": {"w_spectral": 1e4},  # always above its cap, which is the share
    "boundary": {"w_boundary": 1.0},
    "block": {"w_block": 1.0},
}
MARGIN = 3.0  # of KID-lite0 × 1000
LEVEL = 0.05  # p after Holm's correction from which on a difference may be chance
OF_PHOTOS = ("edge_f1", "region_variance", "content", "color_drift")  # measured photo by photo
MEASURES = ("kid_lite0", "spectral_distance", *OF_PHOTOS)
_OFF: dict[str, Any] = {"w_spectral": 0.0, "w_boundary": 0.0, "w_block": 0.0}


@dataclasses.dataclass(frozen=True, kw_only=True)
class ShareConfig(FSGANConfig):
    """FSGAN's recipe without its three losses, or with one of them at a fixed share of the gradient."""

    trained_by: ClassVar[str] = f"{__name__}:SharedGradient"

    term: str = NONE  # the loss that is scaled
    share: float = 0.0  # of the other terms' gradient norm at the drawing

    def __post_init__(self):
        DistilledConfig.__post_init__(self)  # spectra are of whole crops here, which FSGAN's check refuses


class SharedGradient(FSGAN):
    """FSGAN in which one term's gradient at the drawing has a fixed norm, relative to all the others'."""

    config: ShareConfig

    def _terms(
        self, batch: Any, drawing: Tensor, of_drawing: list[Tensor], of_photo: list[Tensor]
    ) -> dict[str, Tensor]:
        terms, name = super()._terms(batch, drawing, of_drawing, of_photo), self.config.term
        if name in terms:
            terms[name] = with_gradient_share(terms.pop(name), terms, drawing, self.config.share)
        return terms


def with_gradient_share(term: Tensor, others: Mapping[str, Tensor], drawing: Tensor, share: float) -> Tensor:
    """``term``, scaled so that its gradient at the drawing has ``share`` of the norm of the others' sum."""
    own, rest = (
        torch.autograd.grad(value, drawing, retain_graph=True)[0].norm()
        for value in (term, total(others.values()))
    )
    return term * (share * rest / own.clamp_min(1e-12)).item()


@register
@dataclasses.dataclass(frozen=True)
class LossShares(TableStudy):
    """What do the spectral, boundary and colour-block losses do at 10, 30 and 100 % of the others' gradient?

    Rows have term, share and seed, and the means of :data:`MEASURES` over photos. Beside the table lies
    ``…_summary.csv``: of every loss and share the mean over the seeds, and its difference from the
    training without the three losses, paired over photos, with a 95 % interval over photos, the style's
    episodes (KID, spectral distance) and trainings.
    """

    keys = ("term", "share", "seed")
    sources = ("photos", "data", "roles")
    selection = ("shares", "seeds", "samples")

    photos: str  # folder of photos
    data: str  # folder of pictures in the style
    roles: str  # CSV of photo and role: photos that "train" are trained on, photos that "report" measured
    start: str = "fsgan_comic"  # weights that all trainings start from
    trained: int = 48  # photos to train on
    held_out: int = 40  # photos to measure on
    steps: int = 300  # of each training
    batch: int = 4  # crops a step
    crop: int = 96  # side of the crops in pixels
    learning_rate: float = 4e-4  # four times the recipe's, as there are few steps
    shares: tuple[float, ...] = (1.0, 0.3, 0.1)  # of the other terms' gradient
    seeds: tuple[int, ...] = (0, 1, 2)  # of the crops and the noise
    samples: int = 2000  # of the bootstrap

    def plan(self) -> list[dict]:
        """Without the losses, then every loss, the largest share first."""
        wanted = [(NONE, 0.0), *((term, share) for share in self.shares for term in TERMS)]
        return [{"term": t, "share": s, "seed": seed} for t, s in wanted for seed in self.seeds]

    def depends_on(self, **run: str) -> str | None:
        return weights_of(self.start)

    def config(self, out: Path, term: str, share: float, seed: int) -> ShareConfig:
        """The settings of one training."""
        card = models.card(self.start)
        return ShareConfig(
            photos=self.photos,
            style=self.data,
            out=str(out / f"{term}_{share:g}_{seed}"),
            start=self.start,
            arguments=dict(card.arguments),
            teacher="comic",
            drawing=card.training["settings"].get("drawing", {}),
            term=term,
            share=share,
            spectral_cap=share,
            spectrum_size=self.crop,
            crop=self.crop,
            batch=self.batch,
            scales=(1.0, 1.0),
            photo_side=SHORT_SIDE,
            style_side=SHORT_SIDE,
            steps=self.steps,
            distil_steps=0,
            seed=seed,
            lr=self.learning_rate,
            lr_discriminator=self.learning_rate,
            ema=0.9,
            validate_every=0,
            mixed_precision="bf16",
            threads=1,
            clock="processor",
            **_OFF | TERMS.get(term, {}),
        )

    def prepare(self, out: Path) -> Callable[..., dict]:
        names = names_of_role(self.roles, picture_names(self.photos), "train")
        names = sorted(np.random.default_rng(0).permutation(names)[: self.trained].tolist())
        training = load_pictures(self.photos, SHORT_SIDE, names=names)
        photos = read_photos(self.photos, self.held_out, 0, self.roles)
        style = read_style(self.data)
        data = SceneData(training, {}, photos, list(style.values()), out / "targets")
        evaluator = Evaluator(data.style, episodes(style))
        found = Cache(out / "measured")
        found.arrays(_name(self), lambda: evaluator.style_arrays)

        def row(term: str, share: float, seed: int) -> dict:
            trainer = Trainer(self.config(out, term, share, seed), data)
            trainer.run()
            drawings = [np.asarray(drawing) for drawing in trainer.stylize(photos.values())]
            pairs = [evaluator.pair(p, d) for p, d in zip(photos.values(), drawings, strict=True)]
            measured = {
                "features": evaluator.features(drawings),
                "profiles": evaluator.profiles(drawings),
                **{m: np.array([pair[m] for pair in pairs]) for m in OF_PHOTOS},
            }
            found.arrays(_name(self, term, share, seed), lambda: measured)
            estimates = resample_measures({0: measured}, found.arrays(_name(self), dict), OF_PHOTOS, 1)
            return {
                "steps": trainer.step,
                "minutes": trainer.seconds / 60,
                "photos": len(photos),
                **{measure: estimates[measure].estimate[0] for measure in MEASURES},
            }

        return row

    def summarise(self, out: Path) -> None:
        """Write the comparison of the finished trainings; terms and shares without any are left out."""
        found = Cache(out / "measured")
        done = [
            (r["term"], float(r["share"]), int(r["seed"]))
            for r in read_rows(out / f"{self.name}.csv")
            if _name(self, r["term"], float(r["share"]), int(r["seed"])) + ".npz" in found
        ]
        sets = {run: found.arrays(_name(self, *run), dict) for run in done}
        if any(term == NONE for term, *_ in sets):
            values = resample_measures(sets, found.arrays(_name(self), dict), OF_PHOTOS, self.samples)
            write_rows(comparison_rows(values), out / f"{self.name}_summary.csv")


def _name(study: LossShares, *run: Any) -> str:
    """Name of the arrays of a training, or of the style."""
    parts = (f"{part:g}" if isinstance(part, float) else str(part) for part in run)
    return "_".join([study.content_key, *parts])


def comparison_rows(values: Mapping[str, Resamples]) -> list[dict]:
    """Rows of the summary from :func:`resampled`, whose names are (term, share, seed)."""
    runs = list(values["kid_lite0"].estimate)
    rows: list[dict] = []
    for term, share in dict.fromkeys(run[:2] for run in runs):
        seeds = [s for t, a, s in runs if (t, a) == (term, share) and (NONE, 0.0, s) in runs]
        for measure, found in values.items():
            if not seeds:
                continue
            row = {"term": term, "share": share, "metric": measure, "seeds": len(seeds)}
            row["estimate"] = float(np.mean([found.estimate[term, share, s] for s in seeds]))
            if term != NONE:
                row |= paired_difference(found, [((term, share, s), (NONE, 0.0, s)) for s in seeds])
            rows.append(row)
    planned = [row for row in rows if row["metric"] == "kid_lite0" and "p" in row]
    corrected = holm({(row["term"], row["share"]): row["p"] for row in planned})
    for row in planned:
        row |= {"p_holm": corrected[row["term"], row["share"]], "margin": MARGIN}
        row["verdict"] = verdict(row["difference_low"], row["difference_high"], row["p_holm"])
    return rows


def paired_difference(found: Resamples, pairs: Sequence[tuple[Any, Any]]) -> dict[str, float]:
    """Mean difference of pairs of trainings; ``least`` and ``most`` are the extremes over single pairs."""
    each = [found.estimate[a] - found.estimate[b] for a, b in pairs]
    value, low, high, p = mean_difference(found, pairs)
    return {**columns("difference", value, low, high), "least": min(each), "most": max(each), "p": p}


def verdict(low: float, high: float, p_holm: float) -> str:
    """Conclusion from the interval of a planned contrast, and its p after the correction over all of them:
    "nearer", "farther", "no difference" or "open"."""
    if max(-low, high) <= MARGIN:
        return "no difference"
    if p_holm >= LEVEL:
        return "open"
    return "nearer" if high < 0 else "farther" if low > 0 else "open"
