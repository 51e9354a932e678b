"""Every stylizer on the same held-out photos: quality, changes to the photo, and cost.

The table always has the photo itself (no stylization) and the style compared with itself: the first is
perfect by every measure that compares with the photo, the second is the best value that a measure of style
can have. Measures of single pictures have 95 % intervals over photos, KID and spectral distance over
photos and episodes of the style; two stylizers are compared by paired differences, never by their own
intervals (:mod:`workbench.studies.stylizer_pairs`).

Photos that trained or chose anything are left out (:mod:`workbench.studies.stylizer_pictures`); the column
"split" names the rule.

A network without weights (the published ones, re-implemented) has costs only.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
import logging
import statistics
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from workbench import models
from workbench.core.cache import Cache, digest
from workbench.core.errors import UnknownNameError
from workbench.core.pixels import region_labels
from workbench.core.runs import write_rows
from workbench.drawing import teacher
from workbench.metrics import kid, spectrum, stylization
from workbench.metrics.bootstrap import columns, resample
from workbench.metrics.checks import weighted_mean
from workbench.metrics.lines import line_pixels
from workbench.models import trained
from workbench.models.features import FrozenFeatures
from workbench.studies import stylizer_pairs
from workbench.studies.study import TableStudy, register
from workbench.studies.stylizer_pictures import (
    Picture,
    episodes,
    read_masks,
    read_photos,
    read_style,
    split_of,
)
from workbench.styles import stylize as stylizer

log = logging.getLogger(__name__)

PHOTO, STYLE = "photo", "style set against itself"
TEACHER, GRAM = "Kuwahara and ink", "Gram matrices"
CLASSICAL = ("colormatrix_vivid", "convolution_edge", "convolution_sharpen", "convolution_soften")
FEW = 12  # photos of a stylizer that takes seconds per picture
PAIR_SAMPLES = 20_000  # of the bootstrap of pairs, so that p after correction for all others can be small
_KEPT = "measured"  # folder of features and measures, by stylizer
_STAGES = (1, 2, 3)  # of lite0, reductions 4, 8 and 16: lines to layout
COSTS = ("parameters", "gmacs_512", "ms_512", "peak_mb_512", "speed", "conv_share")


class Evaluator:
    """Measures drawings: holds networks, features and profiles of the style set, and regions of the photos.

    Args:
        style: pictures of the style, uint8 (H, W, 3), sides of at least 256.
        groups: (M,) whose pictures belong together (:func:`episodes`); by default each is its own.
    """

    def __init__(self, style: Sequence[Picture], groups: Sequence[str] | None = None):
        self.style_groups = np.arange(len(style)) if groups is None else np.asarray(groups)
        self._pooled = FrozenFeatures("lite0").to(memory_format=torch.channels_last)
        self._maps = FrozenFeatures("lite0", _STAGES).to(memory_format=torch.channels_last)
        self._features: dict[bytes, NDArray[np.float64]] = {}  # by the picture's contents
        self.style_features, self.style_profiles = self.features(style), self.profiles(style)
        # of photos, which are the same for all stylizers: maps and regions
        self._photos: dict[bytes, tuple[list[NDArray], NDArray]] = {}

    @property
    def style_arrays(self) -> dict[str, NDArray]:
        """Features, profiles and groups of the style, for :mod:`workbench.studies.stylizer_pairs`."""
        groups = np.asarray(self.style_groups)
        return {"features": self.style_features, "profiles": self.style_profiles, "groups": groups}

    def features(self, pictures: Iterable[Picture]) -> NDArray[np.float64]:
        """(N, 3, D): three views per picture, a batch to itself: its features never depend on the others.

        Those of a picture are made once.
        """
        found = []
        for picture in pictures:
            key = hashlib.sha256(picture.tobytes()).digest()
            if key not in self._features:
                self._features[key] = kid.features(self._pooled, [Image.fromarray(picture)], batch=3)[0]
            found.append(self._features[key])
        return np.stack(found)

    @staticmethod
    def profiles(pictures: Iterable[Picture]) -> NDArray[np.float64]:
        """(N, bins) radial profiles."""
        return np.stack([spectrum.radial_profile(spectrum.log_spectrum(p)) for p in pictures])

    @torch.inference_mode()
    def maps(self, picture: Picture) -> list[NDArray]:
        """Feature maps (C, h, w) of a picture."""
        x = torch.from_numpy(picture.copy()).permute(2, 0, 1)[None].float() / 127.5 - 1
        return [m[0].numpy() for m in self._maps(x.contiguous(memory_format=torch.channels_last))]

    def pair(
        self, photo: Picture, drawing: Picture, mask: NDArray[np.bool_] | None = None
    ) -> dict[str, float]:
        """Measures of a photo and its drawing; with a ``mask`` of what may change, also PSNR of the rest."""
        maps, regions = self._of_photo(photo)
        lines = stylization.edge_f1(photo, drawing)
        found = {
            "content": stylization.content_distance(maps, self.maps(drawing)),
            "edge_f1": lines.f1,
            "edge_precision": lines.precision,
            "edge_recall": lines.recall,
            "color_drift": stylization.color_drift(photo, drawing),
            "region_variance": stylization.within_region_variance(drawing, regions),
            "color_difference": stylization.color_difference(photo, drawing),
            "color_difference_76": stylization.color_difference(photo, drawing, "CIE76"),
            "line_share": float(line_pixels(drawing).mean()),
        }
        if mask is not None:
            found["background_psnr"] = min(stylization.background_psnr(photo, drawing, mask), 100.0)
        return found

    def kid(self, drawings: Sequence[Picture], photos: Iterable[Picture]) -> dict[str, float]:
        """KID columns of drawings: to the style, and less that of the photos themselves, paired."""
        own, untouched = self.features(drawings), self.features(photos)
        found = kid.kid(own, self.style_features, self.style_groups)
        gap = kid.kid_difference(own, untouched, self.style_features, self.style_groups)
        to_style = columns("kid_lite0", found.mean, found.low, found.high)
        to_style["kid_lite0_error"] = found.error
        return to_style | columns("kid_lite0_less_photo", gap.estimate, gap.low, gap.high)

    def _of_photo(self, photo: Picture) -> tuple[list[NDArray], NDArray]:
        """Feature maps and Felzenszwalb regions of a photo, made once."""
        key = hashlib.sha256(photo.tobytes()).digest()
        if key not in self._photos:
            regions = region_labels(photo, scale=80, sigma=0.8, min_size=40)
            self._photos[key] = self.maps(photo), regions
        return self._photos[key]


def drawers(style: Sequence[Picture]) -> dict[str, Callable[[Picture], Picture]]:
    """Functions that redraw a picture, by name: everything on the menu, and two more.

    :data:`TEACHER` is the classical recipe from which training on pictures of a style starts,
    :data:`GRAM` an optimisation per picture towards the middle one of ``style``.
    """

    def named(name: str) -> Callable[[Picture], Picture]:
        return lambda photo: np.asarray(stylizer.stylize(Image.fromarray(photo), name))

    def optimised(photo: Picture) -> Picture:
        from workbench.styles.gram import GramStylizer

        return GramStylizer(style[len(style) // 2])(photo)

    config = teacher.TeacherConfig()
    return {
        PHOTO: lambda photo: photo,
        **{name: named(name) for name in stylizer.styles()},
        TEACHER: lambda photo: teacher.draw(photo, config),
        GRAM: optimised,
    }


def check_stylizers(names: Iterable[str]) -> None:
    """Raise if a name is not one of :func:`drawers`."""
    known = [PHOTO, *stylizer.styles(), TEACHER, GRAM]
    for name in names:
        if name not in known:
            raise UnknownNameError("stylizer", name, known)


def weights_of(name: str) -> str | None:
    """Digest of a style's network, its weights and settings; None for what is not learnt."""
    return models.card(name).digest if name in trained() else None


def default_stylizers() -> list[str]:
    """Networks and drawings among the styles, then the filters that redraw rather than tint or warp."""
    styles = stylizer.styles().values()
    drawn = [s.name for kind in ("network", "drawing") for s in styles if s.kind == kind]
    return [*drawn, TEACHER, *CLASSICAL]


def stylizer_row(
    evaluator: Evaluator,
    photos: Mapping[str, Picture],
    draw: Callable[[Picture], Picture],
    masks: Mapping[str, NDArray[np.bool_]] | None = None,
    samples: int = 2000,
    seed: int = 0,
) -> tuple[dict[str, float], list[dict], dict[str, NDArray]]:
    """One stylizer's row: KID, spectral distance and the measures of pairs with intervals over the photos.

    Args:
        evaluator: of the style.
        photos: held-out photos by name.
        draw: photo to drawing, uint8 (H, W, 3) both.
        masks: True on what may change, by the photos' names; those without one have no background measure.
        samples, seed: of the bootstrap.

    Returns:
        The row, the measures of every photo, and features, profiles and measures as arrays, for pairs.
    """
    drawings, seconds = [], []
    for photo in photos.values():
        start = time.process_time()
        drawings.append(draw(photo))
        seconds.append(time.process_time() - start)
    masks = masks or {}
    pairs = [
        evaluator.pair(p, d, masks.get(name)) for (name, p), d in zip(photos.items(), drawings, strict=True)
    ]
    row = {"photos": len(photos)} | evaluator.kid(drawings, photos.values())
    arrays = {"features": evaluator.features(drawings), "profiles": evaluator.profiles(drawings)}
    spectral = spectrum.resampled_distance(
        {"": arrays["profiles"]}, evaluator.style_profiles, evaluator.style_groups, samples, seed
    )
    row |= columns("spectral_distance", *spectral.interval(debias=True))
    for name in pairs[0]:
        values = np.array([pair.get(name, np.nan) for pair in pairs])
        row |= _interval(name, weighted_mean, values[~np.isnan(values)], samples, seed)
        arrays[name] = values
    row["ms_picture"] = 1e3 * statistics.median(seconds)
    return row, [{"photo": name, **pair} for name, pair in zip(photos, pairs, strict=True)], arrays


def _interval(name: str, metric: Callable, values: NDArray, samples: int, seed: int) -> dict[str, float]:
    if len(values) < 2:
        return {name: float(metric(values)) if len(values) else float("nan")}
    return columns(name, *resample(metric, values, samples=samples, seed=seed).interval())


def compare_style_halves(evaluator: Evaluator, seed: int = 1) -> dict[str, float]:
    """One half of the style set compared with the other: the bound for all stylizers. Groups stay whole."""
    names = np.unique(evaluator.style_groups)
    half = np.isin(evaluator.style_groups, np.random.default_rng(seed).permutation(names)[: len(names) // 2])
    value = kid.kid(
        evaluator.style_features[half], evaluator.style_features[~half], evaluator.style_groups[~half]
    )
    profiles = evaluator.style_profiles
    return {
        "photos": len(half),
        "kid_lite0": value.mean,
        "kid_lite0_error": value.error,
        "spectral_distance": spectrum.profile_distance(profiles[half], profiles[~half]),
    }


def costs_of(benchmark: str | Path | Mapping) -> dict[str, dict[str, float]]:
    """Cost columns by network, from what ``workbench bench stylizers --json`` wrote (or returned).

    :data:`COSTS`: parameters; 10⁹ multiply-accumulates, milliseconds and extra memory (10⁶ bytes) at 512²;
    images per second against AnimeGANv2's network; share of the machine's own convolution throughput.
    """
    if isinstance(benchmark, Mapping):
        networks = benchmark["networks"]
    else:
        networks = json.loads(Path(benchmark).read_text(encoding="utf-8"))["networks"]
    table = {}
    for row in networks:
        if row.get("runtime", "torch") != "torch":
            continue
        large = {
            key: {int(s): v for s, v in row[key].items()} for key in ("gmacs", "seconds", "ratio", "share")
        }
        values = (
            row["parameters"],
            large["gmacs"][512],
            1e3 * statistics.median(large["seconds"][512]),
            float("nan") if row["peak_mb"] is None else row["peak_mb"],
            large["ratio"][512],
            large["share"][512],
        )
        table[row["name"]] = dict(zip(COSTS, values, strict=True))
    return table


@register
@dataclasses.dataclass(frozen=True)
class Stylizers(TableStudy):
    """How good is every stylizer on the same photos, what does it change in them, and what does it cost?

    Columns: photos, measures with ``_low`` and ``_high``, ``kid_lite0_less_photo`` (the paired difference
    from the untouched photos), ``ms_picture`` (processor time per photo), :data:`COSTS`, split (which photos
    these are). A network that is only in ``costs`` has costs only. Beside the table lies
    ``…_pictures.csv``, the measures of every photo, and ``…_pairs.csv``: every network among the styles less
    the photo and every other stylizer (:func:`workbench.studies.stylizer_pairs.pair_rows`), from the features
    that the rows were made of, which are kept in the folder ``measured``.
    """

    # 4: photos without colour are drawn without.
    # 3: spectral distances are over episodes of the style, too. Colour differences per pixel and the share of
    # line pixels came later; they change no other column, and older tables lack them
    version = 4
    keys = ("stylizer",)
    sources = ("data", "photos", "roles", "masks", "costs")
    selection = ("stylizers",)

    data: str | Sequence[Picture] = "atelier:60"  # pictures of the style: a folder, or atelier:N
    photos: str = ""  # folder of photos; "" takes six free ones of installed packages
    stylizers: tuple[str, ...] = ()  # by name; by default networks, drawings and classical filters
    masks: str = ""  # folder of masks (say of faces), for the measures of the background
    costs: str | Mapping = ""  # what `workbench bench stylizers --json` wrote, for the cost columns
    held_out: int = 80  # number of photos (without ROLES: held out by training, of which half report)
    roles: str = ""  # CSV of photo and role: only photos that "report" are measured
    seed: int = 0  # of that split and of the bootstrap
    samples: int = 2000  # of the bootstrap

    @functools.cached_property
    def cost_columns(self) -> dict[str, dict[str, float]]:
        """Cost columns by network."""
        return costs_of(self.costs) if self.costs else {}

    def plan(self) -> list[dict]:
        """The photo, every stylizer, the style against itself, and networks that have costs only."""
        wanted = list(self.stylizers) or default_stylizers()
        check_stylizers(wanted)
        return [{"stylizer": name} for name in dict.fromkeys([PHOTO, *wanted, STYLE, *self.cost_columns])]

    def depends_on(self, **run: str) -> str | None:
        return weights_of(run["stylizer"])

    def prepare(self, out: Path) -> Callable[..., dict]:
        """Photos and style are read; the style is measured when it is needed."""
        usable = read_photos(self.photos, self.held_out, self.seed, self.roles)
        style = read_style(self.data)
        known = drawers(list(style.values()))
        evaluator = functools.cache(lambda: Evaluator(list(style.values()), episodes(style)))
        drawn, details = list(self.stylizers) or default_stylizers(), self.runs(out, "_pictures")
        rule, kept = (
            {"split": split_of(self.photos, self.held_out, self.seed, self.roles)},
            Cache(out / _KEPT),
        )

        def row(stylizer: str) -> dict:
            costs = self.cost_columns.get(stylizer, {})
            if stylizer == STYLE:
                kept.arrays(self._kept_as(stylizer), lambda: evaluator().style_arrays)
                return compare_style_halves(evaluator())
            if stylizer not in (PHOTO, *drawn):
                return costs
            few = slice(None, None, max(1, len(usable) // FEW) if stylizer == GRAM else 1)
            some, places = dict(list(usable.items())[few]), np.arange(len(usable))[few]
            masks = read_masks(self.masks, some) if self.masks else None
            found, each, arrays = stylizer_row(
                evaluator(), some, known[stylizer], masks, self.samples, self.seed
            )
            kept.arrays(self._kept_as(stylizer), lambda: {"places": places, **arrays})
            details.add({"stylizer": stylizer}, *each, seconds=0, stamp=False)
            return found | costs | rule

        return row

    def summarise(self, out: Path) -> None:
        """Write the comparison in pairs. Rows of a table that came without their features are left out."""
        kept = Cache(out / _KEPT)
        measured = [row["stylizer"] for row in self.runs(out).rows if row["photos"]]
        found = {
            name: kept.arrays(self._kept_as(name), dict)
            for name in measured
            if f"{self._kept_as(name)}.npz" in kept
        }
        if missing := [name for name in measured if name not in found]:
            log.warning("Not compared in pairs, as their features were not kept: %s.", ", ".join(missing))
        style, networks = found.pop(STYLE, None), [n for n in _networks() if n in found]
        if style is not None and networks and len(found) > 1:
            samples = max(PAIR_SAMPLES, self.samples)
            rows = stylizer_pairs.pair_rows(found, networks, style, samples, self.seed)
            write_rows(rows, out / f"{self.name}_pairs.csv")

    def _kept_as(self, stylizer: str) -> str:
        """Key of a stylizer's arrays, which changes with its weights."""
        return f"{self.content_key}-{digest((stylizer, self.depends_on(stylizer=stylizer)))}"


def _networks() -> list[str]:
    return [style.name for style in stylizer.styles().values() if style.kind == "network"]
