"""Do spectra tell photos from drawn pictures, and where between the two do redrawn photos lie?

The paper shows the spectrograms of one photo and of its drawings (its figure 3) and says that photos' are
"brighter and scattered, with less regularity", drawings' "more distinct in light and dark areas, with more
concentrated and regular energy points". Here each of these words becomes a measure of a picture's spectrogram
(:func:`workbench.metrics.spectrum.shape`), with an interval over many pictures. Panels of one episode of a
comic show the same places, people and light: they are resampled together.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from workbench.core.pixels import luma
from workbench.metrics import spectrum
from workbench.metrics.bootstrap import Resamples, draw_counts
from workbench.metrics.paired import holm
from workbench.studies.study import TableStudy, register
from workbench.studies.stylizer_pictures import Picture, episodes, read_photos, read_style, split_of
from workbench.studies.stylizers import PHOTO, TEACHER, check_stylizers, drawers, weights_of

STYLE = "style"
SETS = ("fsgan_comic", "fsgan_bold", "fsgan_anime", "fsgan_ink", TEACHER, "convolution_soften")
MEASURES = ("brightness", "contrast", "slope", "concentration", "directionality", "light and dark")


def spectral_measures(picture: Picture) -> NDArray[np.float64]:
    """(bins + measures,) radial profile and :data:`MEASURES` of a picture.

    "light and dark" is measured on the picture itself: the standard deviation of its luma, in levels of 255.
    """
    found = spectrum.log_spectrum(picture)
    shape = spectrum.shape(found) | {"light and dark": float(luma(picture).std())}
    return np.concatenate([spectrum.radial_profile(found), [shape[name] for name in MEASURES]])


def set_rows(
    own: NDArray,
    photos: NDArray,
    paired: bool,
    samples: int = 2000,
    seed: int = 0,
    groups: ArrayLike | None = None,
    photo_groups: ArrayLike | None = None,
) -> list[dict]:
    """Means of a set, their differences from the photos' means, and how well each measure separates the two.

    Args:
        own: (N, K) of :func:`spectral_measures`.
        photos: (M, K) of the photos.
        paired: the i-th picture is a drawing of the i-th photo (N = M).
        samples, seed: of the bootstrap over groups, jointly for pairs and apart for two sets.
        groups: (N,) whose pictures belong together, e.g. episodes; by default each is its own. Of pairs,
            ``photo_groups`` count.
        photo_groups: (M,) likewise, of the photos.

    Returns:
        Rows of measure ("profile" or one of :data:`MEASURES`), radius (cycles per pixel, of the profile),
        kind, estimate, low, high, p, pictures and groups (of the set). Kinds: "mean"; "difference" from the
        photos' mean, its p corrected after Holm over the measures; "auc": the chance that a picture of the
        set has a higher value than a photo (0.5 is chance).
    """
    others, base_groups = _weights(len(photos), photo_groups, samples, seed + (not paired))
    weights, own_groups = (others, base_groups) if paired else _weights(len(own), groups, samples, seed)
    draws, base = weights @ own, others @ photos  # (S, K)
    fewest = min(own_groups, base_groups)  # what limits a comparison of the two
    bins = own.shape[1] - len(MEASURES)
    rows, p = [], {}
    for k in range(own.shape[1]):
        name = "profile" if k < bins else MEASURES[k - bins]
        head = {"measure": name, "radius": round(float(spectrum.radii(bins)[k]), 4) if k < bins else ""}
        gap = float(own[:, k].mean() - photos[:, k].mean())
        found = Resamples(
            {"mean": float(own[:, k].mean()), "difference": gap},
            {"mean": draws[:, k], "difference": draws[:, k] - base[:, k]},
            fewest,
        )
        kinds = {
            "mean": dataclasses.replace(found, groups=own_groups).interval("mean"),
            "difference": found.interval("difference"),
        }
        if k >= bins:
            p[name] = found.p("difference")
            above = (own[:, None, k] > photos[None, :, k]) + 0.5 * (own[:, None, k] == photos[None, :, k])
            spread = np.einsum("sn,nm,sm->s", weights, above, others, optimize=True)
            separation = Resamples({"": float(above.mean())}, {"": spread}, fewest)
            kinds["auc"] = separation.interval(share_of=fewest)
        for kind, interval in kinds.items():
            sizes = {"pictures": len(own), "groups": own_groups}
            rows.append({**head, "kind": kind, **interval._asdict(), **sizes})
    corrected = holm(p)
    for row in rows:
        row["p"] = corrected.get(row["measure"], "") if row["kind"] == "difference" else ""
    return rows


def _weights(
    pictures: int, groups: ArrayLike | None, samples: int, seed: int
) -> tuple[NDArray[np.float64], int]:
    """(S, N) shares of the pictures in resamples of their groups, and the number of groups."""
    shared = np.arange(pictures) if groups is None else np.asarray(groups)
    times = draw_counts(shared, samples, seed)
    return times / times.sum(1, keepdims=True), len(np.unique(shared))


@register
@dataclasses.dataclass(frozen=True)
class Spectra(TableStudy):
    """Do spectra tell photos from drawn pictures, and where between the two do redrawn photos lie?

    Rows have set ("photo", "style", then ``sets``), the columns of :func:`set_rows`, and split: the rule
    that kept the photos apart from those that trained or chose anything. Beside the table lies
    ``…_pictures.csv``, :data:`MEASURES` of every picture.
    """

    version = 4  # photos without colour are drawn without; a comic's episodes are resampled whole
    keys = ("set",)
    sources = ("data", "photos", "roles")
    selection = ("sets",)

    data: str | Sequence[Picture] = "atelier:60"  # drawn pictures: a folder, or atelier:N
    photos: str = ""  # folder of photos; "" takes six free ones of installed packages
    sets: tuple[str, ...] = SETS  # stylizers, by the names of the stylizers' study
    held_out: int = 80  # number of photos (without ROLES: held out by training, of which half report)
    roles: str = ""  # CSV of photo and role: only photos that "report" are measured
    samples: int = 2000  # of the bootstrap over photos, and over the style's episodes
    seed: int = 0  # of the split and of the bootstrap

    def plan(self) -> list[dict]:
        check_stylizers(self.sets)
        return [{"set": name} for name in (PHOTO, STYLE, *self.sets)]

    def depends_on(self, **run: str) -> str | None:
        return weights_of(run["set"])

    def prepare(self, out: Path) -> Callable[..., list[dict]]:
        photos, style = read_photos(self.photos, self.held_out, self.seed, self.roles), read_style(self.data)
        shown, details = list(photos.values()), self.runs(out, "_pictures")
        known, base = drawers(shown), np.stack([spectral_measures(p) for p in shown])
        shared, photo_groups = episodes(style), episodes(photos)
        rule = {"split": split_of(self.photos, self.held_out, self.seed, self.roles)}

        def describe(set: str) -> list[dict]:
            pictures = list(style.values()) if set == STYLE else [known[set](p) for p in shown]
            own = base if set == PHOTO else np.stack([spectral_measures(p) for p in pictures])
            names = style if set == STYLE else photos
            each = own[:, -len(MEASURES) :].tolist()
            measured = [
                dict(zip(("picture", *MEASURES), (n, *m), strict=True))
                for n, m in zip(names, each, strict=True)
            ]
            details.add({"set": set}, *measured, seconds=0, stamp=False)
            paired = set != STYLE
            rows = set_rows(own, base, paired, self.samples, self.seed, shared, photo_groups)
            return [r | rule for r in rows if set != PHOTO or r["kind"] == "mean"]

        return describe


def examples(photo: Picture, sets: Sequence[str] = SETS) -> dict[str, tuple[Picture, NDArray]]:
    """A photo and its drawings with their spectrograms, log amplitude: the paper's figure 3."""
    known = drawers([photo])
    pictures = {name: known[name](photo) for name in (PHOTO, *sets)}
    return {name: (p, whole(spectrum.log_spectrum(p))) for name, p in pictures.items()}


def whole(half: NDArray) -> NDArray:
    """A shifted half spectrum (S, S // 2 + 1) with its mirror image, (S, S), zero in the middle."""
    side = half.shape[0]
    full = np.empty((side, side), half.dtype)
    full[:, side // 2 :] = half[:, : side - side // 2]
    rows = (-np.arange(-(side // 2), side - side // 2) + side // 2) % side  # of minus the same frequency
    columns = np.arange(side // 2, 0, -1)
    full[:, : side // 2] = half[rows][:, columns]
    return full
