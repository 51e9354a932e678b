"""What each part of FSGAN's training does, and how far other methods come with the same pictures and minutes.

*Ablations.* All begin from the same distilled generator and take the same number of adversarial steps: the
full recipe, without its spectral, boundary or colour-block term, with less hold on the drawing, and with
nearest-neighbour in place of bilinear upsampling (whose generator first settles for some more steps of
distilling). Two seeds or more, of the batches and the noise, say what chance does.

*Baselines.* CartoonGAN, AnimeGAN and U-GAT-IT light begin from random weights, as in their papers, and get
the same processor minutes as FSGAN from scratch. Minutes on one core, where the papers take hours on a GPU:
this says which method learns quickly, not which is best when it has converged. Gatys' optimisation trains
nothing and pays for each picture instead.

All are measured on the same held-out photos by :mod:`workbench.metrics`.
"""

from __future__ import annotations

import argparse
import csv
import dataclasses
import io
import json
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from workbench.core.files import write_image, write_whole
from workbench.core.runs import Runs
from workbench.data.images import read_image
from workbench.metrics import spectrum
from workbench.metrics.grid import grid_excess
from workbench.studies import stylizers
from workbench.styles import stylize as stylizer
from workbench.training.configs import StylizerConfig, config_for
from workbench.training.scene_data import SceneData, load_data
from workbench.training.trainer import Trainer
from workbench.training.validation import StyleJudge

log = logging.getLogger(__name__)

# the recipe when the ablations were made; it holds the drawing less now, and that is an ablation, too
_FULL = {"w_teacher": 50.0, "w_boundary": 15.0}
ABLATIONS = {
    "full": _FULL,
    "without spectral": _FULL | {"w_spectral": 0.0},
    "without boundary": _FULL | {"w_boundary": 0.0},
    "without colour blocks": _FULL | {"w_block": 0.0},
    "teacher 30, boundary 10": {"w_teacher": 30.0, "w_boundary": 10.0},
    "nearest": _FULL | {"arguments": {"upsampling": "nearest"}},
}
GROUPS = ("start", "ablation", "baseline")
MEASURES = (
    "kid_lite0",
    "kid_lite1",
    "spectral_distance",
    "content",
    "edge_f1",
    "color_drift",
    "region_variance",
    "grid_db",
)
REFERENCE, PHOTO, SELF = "reference", "photo", "style set against itself"
SHIPPED = "fsgan_pepper"  # longer trained, with weights that changed on the way: see its card
_DONE = "done.json"  # written last
BASELINES = ("fsgan", "cartoongan", "animegan", "ugatit_light")


@dataclasses.dataclass(frozen=True)
class Budget:
    """How much each training may cost."""

    distil_steps: int = 2000  # of the start that all ablations share, on crops of 192 pixels
    settle_steps: int = 500  # of the same with nearest upsampling, from there
    ablation_steps: int = 250  # adversarial steps of each ablation
    seeds: tuple[int, ...] = (0, 1)  # of the ablations
    minutes: float = 5.0  # processor minutes of each baseline
    first_phase: tuple[tuple[str, int], ...] = (("fsgan", 500), ("cartoongan", 20), ("animegan", 40))  # steps
    crop: int = 160  # side of the crops in pixels
    checkpoint_every: int = 25  # steps
    gatys_steps: int = 40  # of Gatys' optimisation, a picture


@dataclasses.dataclass(frozen=True)
class Run:
    """One training of the study."""

    group: str  # "start", "ablation" or "baseline"
    variant: str
    seed: int
    config: StylizerConfig

    @property
    def key(self) -> dict[str, str | int]:
        """What names it in the table."""
        return {"group": self.group, "variant": self.variant, "seed": self.seed}


def _folder(group: str, variant: str, seed: int) -> str:
    return f"{group}_{variant}_{seed}".replace(" ", "_")


def plan(photos: str | Path, style: str | Path, out: str | Path, budget: Budget) -> Iterator[Run]:
    """Every training, in the order in which they can be done: starts, ablations seed by seed, baselines."""
    out = Path(out)
    common = {
        "photos": str(photos),
        "style": str(style),
        "split_seed": 0,
        "crop": budget.crop,
        "mixed_precision": "bf16",
        "threads": 1,
        "validate_every": 0,
        "checkpoint_every": budget.checkpoint_every,
        "clock": "processor",
    }

    def run(group: str, variant: str, seed: int, recipe: str = "fsgan", **given) -> Run:
        folder = out / _folder(group, variant, seed)
        values = {**common, "seed": seed, "out": str(folder), **given}
        return Run(group, variant, seed, config_for(recipe, **values))

    steps = {"distil_steps": budget.distil_steps, "steps": budget.distil_steps}
    bilinear = run("start", "bilinear", 0, crop=192, **steps)
    nearest = {
        "start": f"{bilinear.config.out}/weights.pt",
        "distil_steps": budget.settle_steps,
        "steps": budget.settle_steps,
    }
    nearest = run("start", "nearest", 0, arguments=ABLATIONS["nearest"]["arguments"], **nearest)
    yield from (bilinear, nearest)
    for seed in budget.seeds:
        for variant, changes in ABLATIONS.items():
            start = nearest if variant == "nearest" else bilinear
            steps = {"distil_steps": 0, "steps": budget.ablation_steps}
            yield run("ablation", variant, seed, start=f"{start.config.out}/weights.pt", **steps, **changes)
    for recipe in BASELINES:
        limits = {"steps": 1_000_000, "total_minutes": budget.minutes}
        limits["distil_steps"] = dict(budget.first_phase).get(recipe, 0)
        yield run("baseline", recipe, 0, recipe, **limits)


def train(run: Run, data: SceneData) -> Path:
    """Train, or go on training, until the run's budget ends; write its weights and its drawings of the test
    photos. Nothing is done where they are there already.

    Returns:
        Folder of the drawings, PNG files named by the photos' order.
    """
    folder = Path(run.config.out)
    drawings = folder / "drawings"
    if (folder / _DONE).is_file():
        return drawings
    log.info("%s, %s, seed %d", run.group, run.variant, run.seed)
    trainer = Trainer(run.config, data)
    trainer.run()
    torch.save(trainer.ema.state_dict(), folder / "weights.pt")
    drawings.mkdir(exist_ok=True)
    with trainer.recipe.autocast():  # in the precision of the training: the large ones take seconds each
        for i, drawing in enumerate(trainer.stylize(data.test.values())):
            drawing.save(drawings / f"{i:03d}.png")
    _finish(folder, run.key, trainer.step, trainer.seconds)
    return drawings


def _finish(folder: Path, key: dict, steps: int, seconds: float) -> None:
    done = {"key": key, "steps": steps, "training_seconds": round(seconds, 1)}
    write_whole(json.dumps(done).encode(), folder / _DONE)


def draw_gatys(data: SceneData, out: str | Path, steps: int = 40) -> Path:
    """Gatys' optimisation of each test photo, each after another picture of the style drawn by lot.

    Returns:
        Folder of the drawings, as from :func:`train`.
    """
    from workbench.styles.gram import GramStylizer

    key = {"group": "baseline", "variant": "gatys", "seed": 0}
    folder = Path(out) / _folder(**key) / "drawings"
    folder.mkdir(parents=True, exist_ok=True)
    chosen = np.random.default_rng(0).choice(len(data.style), len(data.test), replace=False)
    for i, photo in enumerate(data.test.values()):
        file = folder / f"{i:03d}.png"
        if not file.is_file():
            pixels = GramStylizer(data.style[chosen[i]], steps=steps)(photo)
            Image.fromarray(pixels).save(file)
    _finish(folder.parent, key, steps, 0.0)
    return folder


def run(
    photos: str | Path,
    style: str | Path,
    out: str | Path,
    budget: Budget | None = None,
    groups: Sequence[str] = GROUPS,
) -> Path:
    """Do what is not done: train, then measure, and write ``stylizer_training.csv``. Interrupted, it goes on.

    Args:
        photos: folder of photos.
        style: folder of pictures in the style.
        out: folder for the trainings and the table; drawings and regions of the photos are made once, there.
        budget: how long each may take.
        groups: which of :data:`GROUPS` to train; what other calls trained is measured as well.

    Returns:
        The CSV: group, variant, seed; steps and processor minutes of the training (with those of its
        targets, without those of its start); the measures of
        :func:`workbench.studies.stylizers.measure`; KID-lite1; ``grid_db``
        (:func:`workbench.metrics.grid.grid_excess`, less the photo's); provenance. Beside it
        ``stylizer_training_effects.csv``, the rows of :func:`effects`.
    """
    budget = budget or Budget()
    runs = list(plan(photos, style, out, budget))
    data = load_data(dataclasses.replace(runs[0].config, out=str(out)))
    for one in runs:
        if one.group in groups:
            train(one, data)
    if "baseline" in groups:
        draw_gatys(data, out, budget.gatys_steps)
    path = measure_all(data, out)
    write_effects(path)
    return path


def folders(photos: str | Path, style: str | Path, out: str | Path) -> tuple[Path, Path]:
    """The folders that :func:`run` wants, made in ``out`` where there are none.

    Args:
        photos: a folder, or "" for cuts of the six free photographs of the notebooks: enough to see the study
            work, too few to learn anything from it.
        style: a folder, or "atelier:N" for N painted pictures.
        out: folder of the study.
    """
    out, made = Path(out), []
    if photos:
        made.append(Path(photos))
    else:
        made.append(out / "photos")
        for name, photo in stylizers.free_photos().items():
            side, room = min(photo.shape[:2]), max(photo.shape[:2]) - min(photo.shape[:2])
            for i in range(3):
                start = room * i // 2
                top, left = (start, 0) if photo.shape[0] > photo.shape[1] else (0, start)
                cut = photo[top : top + side, left : left + side]
                write_image(Image.fromarray(cut), made[0] / f"{name}_{i}.png")
    if Path(style).is_dir():
        made.append(Path(style))
    else:
        made.append(out / "style")
        for i, picture in enumerate(stylizers.read_style(style)):
            write_image(Image.fromarray(picture), made[1] / f"{i:03d}.png")
    return made[0], made[1]


def drawings_of(out: str | Path, group: str = "ablation", count: int = 3) -> dict[str, list[NDArray]]:
    """The first ``count`` drawings of the held-out photos by each finished training of ``group`` in ``out``,
    by variant: uint8 (H, W, 3), of the first seed that is there."""
    found: dict[str, list[NDArray]] = {}
    for done in sorted(Path(out).glob(f"*/{_DONE}")):
        key = json.loads(done.read_text())["key"]
        files = sorted((done.parent / "drawings").glob("*.png"))[:count]
        if key["group"] == group and key["variant"] not in found:
            found[key["variant"]] = [np.asarray(read_image(file)) for file in files]
    return found


def measure_all(data: SceneData, out: str | Path) -> Path:
    """Measure every finished training in ``out`` that is not in its table yet; see :func:`run`."""
    out = Path(out)
    large = [i for i, p in enumerate(data.test.values()) if min(p.shape[:2]) >= 2 * spectrum.SIDE]
    photos = {name: p for i, (name, p) in enumerate(data.test.items()) if i in large}
    ruler = cache(lambda: stylizers.Ruler(_large(data.style)))
    judge = cache(lambda: StyleJudge(_large(data.style), variant="lite1"))

    def drawings(group: str, variant: str, seed: int) -> list[NDArray]:
        if group == REFERENCE:
            network = (lambda p: p) if variant == PHOTO else _shipped(variant)
            return [network(p) for p in photos.values()]
        folder = out / _folder(group, variant, seed) / "drawings"
        return [np.asarray(read_image(folder / f"{i:03d}.png")) for i in large]

    def one(group: str, variant: str, seed: int) -> dict[str, float]:
        if variant == SELF:
            return stylizers.against_itself(ruler())
        shown = drawings(group, variant, seed)
        by_photo = {photo.tobytes(): drawing for photo, drawing in zip(photos.values(), shown, strict=True)}
        done = out / _folder(group, variant, seed) / _DONE
        cost = json.loads(done.read_text()) if done.is_file() else {}
        row = stylizers.measure(ruler(), photos, lambda photo: by_photo[photo.tobytes()])
        del row["ms_picture"]  # of looking it up
        value = judge().kid([Image.fromarray(d) for d in shown])
        grid = [grid_excess(d) - grid_excess(p) for d, p in zip(shown, photos.values(), strict=True)]
        return {
            "steps": cost.get("steps", ""),
            "minutes": cost["training_seconds"] / 60 if cost else "",
            **row,
            "kid_lite1": value.mean,
            "kid_lite1_error": value.error,
            "grid_db": float(np.mean(grid)),
            "grid_db_error": float(np.std(grid, ddof=1) / len(grid) ** 0.5),
        }

    keys = [{"group": REFERENCE, "variant": v, "seed": 0} for v in (PHOTO, SELF, SHIPPED)]
    keys += [json.loads(f.read_text())["key"] for f in sorted(out.glob(f"*/{_DONE}"))]
    return Runs(out / "stylizer_training.csv", ("group", "variant", "seed")).do(keys, one, desc="measuring")


def effects(
    table: Sequence[Mapping[str, str]], measures: Sequence[str] = MEASURES
) -> list[dict[str, str | float]]:
    """What leaving a part out changes: each ablation less the full recipe with the same seed.

    Args:
        table: rows of ``stylizer_training.csv``, as :class:`csv.DictReader` gives them.
        measures: columns.

    Returns:
        One row for each variant but the full one: variant, seeds, and of each measure the mean difference
        over the seeds with ``_low`` and ``_high``, the smallest and the largest of them. Where these two have
        one sign, chance alone would do that in one of 2 ** (seeds - 1) cases.
    """
    ablations = {(r["variant"], r["seed"]): r for r in table if r["group"] == "ablation"}
    found = []
    for variant in ABLATIONS:
        seeds = sorted(s for v, s in ablations if v == variant and ("full", s) in ablations)
        if variant == "full" or not seeds:
            continue
        row: dict[str, str | float] = {"variant": variant, "seeds": len(seeds)}
        for measure in measures:
            gaps = [
                float(ablations[variant, s][measure]) - float(ablations["full", s][measure]) for s in seeds
            ]
            row |= {measure: float(np.mean(gaps)), f"{measure}_low": min(gaps), f"{measure}_high": max(gaps)}
        found.append(row)
    return found


def write_effects(table: str | Path) -> Path:
    """Write the rows of :func:`effects` beside a table of :func:`run`, as ``…_effects.csv``."""
    table = Path(table)
    with table.open(newline="") as file:
        rows = effects(list(csv.DictReader(file)))
    target = table.with_name(f"{table.stem}_effects.csv")
    text = io.StringIO()
    if rows:
        writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(
            {k: f"{v:.6g}" if isinstance(v, float) else v for k, v in row.items()} for row in rows
        )
    write_whole(text.getvalue().encode(), target)
    return target


def _shipped(name: str) -> Callable[[NDArray], NDArray]:
    return lambda photo: np.asarray(stylizer.stylize(Image.fromarray(photo), name))


def _large(pictures: Sequence[NDArray]) -> list[NDArray]:
    """Those whose spectrum can be measured."""
    return [p for p in pictures if min(p.shape[:2]) >= 2 * spectrum.SIDE]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photos", help="folder of photos")
    parser.add_argument("style", help="folder of pictures in the style")
    parser.add_argument("out", help="folder for the trainings and the table")
    parser.add_argument("--groups", nargs="*", default=GROUPS, choices=GROUPS, help="what to train")
    parser.add_argument("--minutes", type=float, default=Budget.minutes, help="of each baseline")
    asked = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    run(asked.photos, asked.style, asked.out, Budget(minutes=asked.minutes), asked.groups)
