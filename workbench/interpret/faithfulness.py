"""Faithfulness of attribution methods on one network, by several measures and against two controls.

:func:`judgements` gives one row per picture, :func:`summarise` the table with intervals over pictures and
seeds and the paired differences to the controls. No single measure is sufficient: a constant map is perfectly
stable, an edge detector locates a painted subject well, and only a map that depends on the weights can
explain them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn

from workbench.interpret.attribution import AttributionError
from workbench.interpret.localisation import mask_area, pointing_game, rank_correlation, relevance_mass
from workbench.interpret.methods import METHODS, attribute, methods
from workbench.interpret.perturbation import deletion_insertion, infidelity, sensitivity
from workbench.interpret.randomisation import cascade
from workbench.metrics.bootstrap import (
    Interval,
    Resamples,
    draw_counts,
    has_spread,
    paired_share_interval,
    share_interval,
)


@dataclasses.dataclass(frozen=True)
class Measure:
    """A measure of the faithfulness of maps."""

    title: str
    better: int  # 1: higher is better, -1: lower is
    question: str


MEASURES: dict[str, Measure] = {
    "randomisation": Measure(
        "map kept with random weights",
        -1,
        "Does the map stay the same when all weights are randomised? (|rank correlation|)",
    ),
    "deletion": Measure("deletion", -1, "Does the probability fall when the marked parts are removed first?"),
    "insertion": Measure(
        "insertion", 1, "Does the probability rise when the marked parts are inserted first?"
    ),
    "infidelity": Measure("infidelity", -1, "Does the map predict how the logit changes without a square?"),
    "sensitivity": Measure("sensitivity", -1, "How much does the map change under invisible noise?"),
    "pointing": Measure("pointing game", 1, "Is the maximum of the map inside the true region?"),
    "mass": Measure("relevance mass", 1, "How much of the positive relevance is inside the true region?"),
}
CONTROLS = ("random", "edges")
MUCH = 0.5  # of a map's norm: a change under noise that speaks against the method
LISTED = ("cascade", "agreement")  # measures with one row per part: randomised layers, or the compared method


@dataclasses.dataclass(frozen=True)
class Settings:
    """Settings of the measures; they determine the cost."""

    methods: tuple[str, ...] = tuple(methods(controls=True))
    layer: str | None = None  # of layered methods; None is the last feature map
    seeds: tuple[int, ...] = (0, 1, 2)  # of random maps, squares, noise and new weights
    fill: str = "blur"  # of deletion, insertion and infidelity
    steps: int = 8  # of deletion and insertion
    samples: int = 12  # squares per picture, of infidelity
    noises: int = 2  # noise samples per picture, of sensitivity
    radius: float = 0.02  # of that noise
    points: int = 4  # of the cascade
    costly: int = 8  # pictures for sensitivity and the steps of the cascade, which repeat the method; or 0
    randomised: int = 40  # pictures whose maps are compared with those without any trained weight; or 0
    batch: int = 8  # pictures at a time
    options: Mapping[str, Mapping] = dataclasses.field(  # of methods
        default_factory=lambda: {"integrated_gradients": {"steps": 12}}
    )


def judgements(
    network: nn.Module,
    x: Tensor,
    target: Tensor,
    masks: Tensor | None = None,
    settings: Settings | None = None,
) -> list[dict]:
    """Every measure of every method on every picture.

    Args:
        network: in eval mode.
        x: (N, 3, H, W), preprocessed.
        target: (N,) classes to explain, as a rule the predicted ones.
        masks: (N, H, W) bool true regions, if known; pointing game and relevance mass need them.
        settings: see :class:`Settings`.

    Returns:
        Rows of method, measure, part ("" except for :data:`LISTED`), picture (0 … N-1), seed, value. Values
        that do not depend on a seed have the first seed only. With masks, the method ``chance`` gives their
        area.

    Raises:
        AttributionError, UnknownNameError: see :func:`~workbench.interpret.methods.attribute`.
    """
    settings = settings or Settings()
    if masks is not None and masks.shape != (len(x), *x.shape[2:]):
        raise AttributionError(
            f"Expected masks of shape {(len(x), *x.shape[2:])} but got {tuple(masks.shape)}."
        )
    rows: list[dict] = []
    for start in range(0, len(x), settings.batch):
        part = slice(start, start + settings.batch)
        truth = None if masks is None else masks[part]
        for method, name, other, seed, values in _batch(
            network, x[part], target[part], truth, settings, start
        ):
            keys = {"method": method, "measure": name, "part": other}
            for i, value in enumerate(values):
                rows.append({**keys, "picture": start + i, "seed": seed, "value": float(value)})
    return rows


def _explain(
    method: str, network: nn.Module, x: Tensor, target: Tensor, settings: Settings, seed: int
) -> Tensor:
    layer = settings.layer if METHODS[method].layered else None
    return attribute(method, network, x, target, layer, seed, **settings.options.get(method, {}))


def _batch(
    network: nn.Module, x: Tensor, target: Tensor, masks: Tensor | None, settings: Settings, start: int
) -> Iterator[tuple[str, str, str, int, NDArray]]:
    """(method, measure, part, seed, values) of the batch whose first picture has the number ``start``."""
    first = settings.seeds[0]
    maps = {m: _explain(m, network, x, target, settings, first) for m in settings.methods}
    drawn = {first: maps}
    for seed in settings.seeds[1:] if "random" in maps else ():  # only the random map has several seeds
        drawn[seed] = {"random": _explain("random", network, x, target, settings, seed)}
    for seed, several in drawn.items():
        for method, heat_maps in several.items():
            deletion, insertion = deletion_insertion(
                network, x, target, heat_maps, settings.fill, steps=settings.steps
            )
            yield method, "deletion", "", seed, deletion
            yield method, "insertion", "", seed, insertion
            if masks is not None:
                yield method, "pointing", "", seed, pointing_game(heat_maps, masks)
                yield method, "mass", "", seed, relevance_mass(heat_maps, masks)
    if masks is not None:
        for name in ("pointing", "mass"):
            yield "chance", name, "", first, mask_area(masks)
    for seed in settings.seeds:
        judged = infidelity(
            network, x, target, {**maps, **drawn.get(seed, {})}, settings.fill, settings.samples, seed
        )
        for method, values in judged.items():
            yield method, "infidelity", "", seed, values
    for method, heat_maps in maps.items():
        for other, compared in maps.items():
            if other != method:
                yield method, "agreement", other, first, rank_correlation(heat_maps, compared)
    costly, randomised = (min(max(n - start, 0), len(x)) for n in (settings.costly, settings.randomised))
    if costly:
        yield from _sensitivity(network, x[:costly], target[:costly], settings)
    yield from _randomised(network, x, target, maps, settings, costly, max(costly, randomised))


def _sensitivity(network, x, target, settings) -> Iterator[tuple[str, str, str, int, NDArray]]:
    """How much maps change under noise."""

    def mapped_by(method: str):
        return lambda inputs, classes: _explain(method, network, inputs, classes, settings, settings.seeds[0])

    for method in settings.methods:
        values = sensitivity(
            mapped_by(method), x, target, settings.radius, settings.noises, settings.seeds[0]
        )
        yield method, "sensitivity", "", settings.seeds[0], values


def _randomised(
    network, x, target, maps, settings, costly, count
) -> Iterator[tuple[str, str, str, int, NDArray]]:
    """Maps without the trained weights, compared with ``maps``: in steps of the cascade for the first
    ``costly`` pictures, in one step for the others of the first ``count``. Both end with the same weights."""
    for method in settings.methods:
        for seed in settings.seeds[:1] if METHODS[method].control else settings.seeds:
            last = []
            for points, part in ((settings.points, slice(costly)), (1, slice(costly, count))):
                if not len(x[part]):
                    continue

                def explain(changed, method=method, part=part):
                    if METHODS[method].control:  # a random map depends on its place in the batch
                        return _explain(method, changed, x, target, settings, settings.seeds[0])[part]
                    return _explain(method, changed, x[part], target[part], settings, settings.seeds[0])

                levels = cascade(explain, network, seed, points, maps[method][part])
                last.append(np.abs(list(levels.values())[-1]))
                if part.start is None:
                    for place, (name, values) in enumerate(levels.items(), start=1):
                        yield method, "cascade", f"{place} {name}", seed, values
            if last:
                yield method, "randomisation", "", seed, np.concatenate(last)


def _interval(
    values: NDArray, groups: NDArray, samples: int, seed: int, same: Callable | None = None
) -> Interval:
    """Mean and interval of (P, S) values of P pictures and S seeds, both resampled; NaN is left out.

    ``same`` gives the interval of a share, or of a difference of shares, that is the same in all groups.
    Other values that are the same everywhere have none: they are so by definition (a map that knows nothing
    of the network cannot change with it), or nothing is known of their spread.
    """
    if np.isnan(values).all():
        return Interval(*(float("nan"),) * 3)
    rows = draw_counts(groups, samples, seed)
    columns = draw_counts(values.shape[1], samples, seed + 1)
    known = ~np.isnan(values)
    total, count = (((rows @ part) * columns).sum(1) for part in (np.where(known, values, 0), known))
    draws = np.divide(total, count, out=np.full(samples, np.nan), where=count > 0)
    mean, of = float(np.nanmean(values)), len(set(groups[known.any(1)].tolist()))
    if has_spread(draws):
        return Resamples({"": mean}, {"": draws}, of).interval()
    return Interval(mean, *(same(mean, of) if same else (float("nan"),) * 2))


def _of_share(mean: float, of: int) -> tuple[float, float]:
    return share_interval(mean * of, of)


def summarise(
    rows: Iterable[Mapping], groups: ArrayLike | None = None, samples: int = 500, seed: int = 0
) -> list[dict]:
    """The table of a network: one row per method, measure and part.

    Args:
        rows: from :func:`judgements`.
        groups: (N,) group of each picture (its painter); by default each picture is its own group.
        samples: bootstrap samples over groups of pictures and over seeds.
        seed: of the resampling.

    Returns:
        Rows of method, measure, part, estimate, low, high (95 %), vs_random, vs_random_low, vs_random_high
        and vs_edges, vs_edges_low, vs_edges_high (the paired differences to the two controls, if measured),
        pictures and seeds. Where all pictures have the same value, "pointing" and its differences have
        Wilson's interval over the groups, and other measures, such as the cascade of maps that ignore the
        network, none (nan).
    """
    values: dict[tuple[str, str, str], dict[tuple[int, int], float]] = {}
    for row in rows:
        key = (row["method"], row["measure"], row["part"])
        values.setdefault(key, {})[(int(row["picture"]), int(row["seed"]))] = float(row["value"])
    table = []
    for (method, name, part), cells in values.items():
        pictures, array = _array(cells)
        own = np.asarray(pictures if groups is None else np.asarray(groups)[pictures])
        is_share = name == "pointing" and method != "chance"  # chance has the areas of the regions
        estimate, low, high = _interval(array, own, samples, seed, _of_share if is_share else None)
        row = {"method": method, "measure": name, "part": part}
        row |= {"estimate": estimate, "low": low, "high": high}
        for control in CONTROLS:
            difference, other = (float("nan"),) * 3, values.get((control, name, part))
            if other is not None and method not in (control, "chance") and name != "agreement":
                others, baseline = _array(other)
                if others == pictures:
                    paired = array.mean(1, keepdims=True) - baseline.mean(1, keepdims=True)
                    same = paired_share_interval if is_share else None
                    difference = _interval(paired, own, samples, seed, same)
            for suffix, number in zip(("", "_low", "_high"), difference, strict=True):
                row[f"vs_{control}{suffix}"] = number
        table.append({**row, "pictures": len(pictures), "seeds": array.shape[1]})
    return table


def _array(cells: Mapping[tuple[int, int], float]) -> tuple[list[int], NDArray]:
    pictures, seeds = sorted({p for p, _ in cells}), sorted({s for _, s in cells})
    return pictures, np.array([[cells.get((p, s), np.nan) for s in seeds] for p in pictures])


def faithfulness(
    network: nn.Module,
    x: Tensor,
    target: Tensor,
    masks: Tensor | None = None,
    groups: ArrayLike | None = None,
    settings: Settings | None = None,
) -> list[dict]:
    """:func:`judgements` and :func:`summarise` in one call: the table of this network on these pictures."""
    return summarise(judgements(network, x, target, masks, settings), groups)


def verdict(table: Sequence[Mapping], method: str) -> str:
    """One line on how far ``method`` can be trusted, from the rows of :func:`summarise` (or of its CSV).

    A method passes a measure if the interval of its paired difference to random maps is entirely on the
    better side, and fails if it is on the worse side; likewise for the edge detector. Everything that speaks
    against a method is named: what beats it, a true region that it does not find more often than chance or
    not at all, and maps that change much (by half of their norm or more) under noise that nobody sees.
    """
    title = METHODS[method].title if method in METHODS else method
    own = {row["measure"]: row for row in table if row["method"] == method and row["measure"] in MEASURES}
    if not own:
        return f"{title}: not measured on this model. Compare several methods before you believe it."
    judged = [name for name in ("deletion", "insertion", "infidelity", "pointing", "mass") if name in own]
    passed = [name for name in judged if _side(own[name], name, "random") > 0]
    text = f"{title} beats random maps on {len(passed)} of {len(judged)} measures{_listed(passed)}"
    if any(_known(own[name], "edges") for name in judged):
        passed = [name for name in judged if _side(own[name], name, "edges") > 0]
        text += f", and a mere edge detector on {len(passed) or 'none'}{_listed(passed)}"
    for control, beat in (("random", "random maps beat"), ("edges", "the edge detector beats")):
        failed = [name for name in judged if _side(own[name], name, control) < 0]
        if failed:
            text += f"; {beat} it on {_names(failed)}"
    text += _of_region(table, own)
    if (changed := _change(own)) >= MUCH:
        text += f"; noise that nobody sees changes its map by {100 * changed:.0f} % of its norm"
    if "randomisation" in own:
        kept = float(own["randomisation"]["estimate"])
        much = "stays much the same" if kept > 0.5 else "is another"
        text += f"; without the trained weights its map {much} (rank correlation {kept:.2f})"
    return text + "."


def cited(table: Sequence[Mapping], method: str) -> dict[str, int]:
    """The measures whose numbers :func:`verdict` gives of a method, with the pictures of each."""
    own = {row["measure"]: row for row in table if row["method"] == method and row["measure"] in MEASURES}
    return {
        name: int(row["pictures"])
        for name, row in own.items()
        if name != "sensitivity" or _change(own) >= MUCH
    }


def _change(own: Mapping[str, Mapping]) -> float:
    """By what share of its norm a method's map changes under noise; 0 if that was not measured."""
    return float(own["sensitivity"]["estimate"]) if "sensitivity" in own else 0.0


def _of_region(table: Sequence[Mapping], own: Mapping[str, Mapping]) -> str:
    """What speaks against a method where the true region is known."""
    if "pointing" in own and not float(own["pointing"]["estimate"]):
        return f"; it points at the true region in none of {own['pointing']['pictures']} pictures"
    shares = {row["measure"]: float(row["estimate"]) for row in table if row["method"] == "chance"}
    level = [name for name in ("pointing", "mass") if name in own and name in shares]
    level = [name for name in level if float(own[name]["low"]) <= shares[name]]
    return f"; on {_names(level)} it is not clearly above chance" if level else ""


def _listed(names: Sequence[str]) -> str:
    return f" ({_names(names)})" if names else ""


def _names(measures: Sequence[str]) -> str:
    return ", ".join(MEASURES[name].title for name in measures)


def _known(row: Mapping, control: str) -> bool:
    return row.get(f"vs_{control}_low", "") != "" and not np.isnan(float(row[f"vs_{control}_low"]))


def _side(row: Mapping, measure: str, control: str) -> int:
    """1 where the whole interval of the difference to a control is better, -1 where worse, else 0."""
    if not _known(row, control):
        return 0
    low, high = (MEASURES[measure].better * float(row[f"vs_{control}_{end}"]) for end in ("low", "high"))
    return int(min(low, high) > 0) - int(max(low, high) < 0)
