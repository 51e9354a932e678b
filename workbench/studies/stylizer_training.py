"""The effect of each part of FSGAN's training, and other methods with the same pictures and minutes.

*Ablations.* All begin from the same distilled generator and take the same number of adversarial steps: the
full recipe, without its spectral, boundary or colour-block term, with less weight on the teacher's drawing,
and with nearest-neighbour in place of bilinear upsampling (whose generator first settles for some more steps
of distilling). Two or more seeds of the batches and the noise show the effect of chance.

*Baselines.* CartoonGAN, AnimeGAN, U-GAT-IT light and White-box Cartoonization begin from random weights, as
in their papers, and get the same processor minutes as FSGAN from scratch. Minutes on one core, where the
papers take hours on a GPU: the comparison shows which method learns quickly, not which is best after
convergence. Gatys' optimisation trains nothing and takes its time for each picture instead.

All are measured by :mod:`workbench.metrics` on the same photos, which train and choose nothing: with a table
of roles (``reports/splits/scenes.csv``, written before) those that "report", without one the half of those
held out that chooses no weights (split seed 0). The column "split" names the rule. The shipped styles have no
row: they were trained on photos of another split.
"""

from __future__ import annotations

import dataclasses
import json
import logging
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from workbench.core.files import write_image, write_whole
from workbench.core.runs import read_rows, write_rows
from workbench.data.images import read_image
from workbench.data.scenes import picture_names
from workbench.metrics import kid, spectrum
from workbench.metrics.bootstrap import columns
from workbench.metrics.grid import grid_excess
from workbench.studies import stylizer_pictures, stylizers
from workbench.studies.study import Study, register
from workbench.training.configs import StylizerConfig, config_for
from workbench.training.scene_data import SceneData, load_data
from workbench.training.trainer import Trainer
from workbench.training.validation import StyleJudge

log = logging.getLogger(__name__)

# the recipe when the ablations were made; its teacher weight is smaller now, which is an ablation, too
_FULL = {"w_teacher": 50.0, "w_boundary": 15.0}
ABLATIONS: dict[str, dict[str, Any]] = {
    "full": _FULL,
    "without spectral": _FULL | {"w_spectral": 0.0},
    "without boundary": _FULL | {"w_boundary": 0.0},
    "without colour blocks": _FULL | {"w_block": 0.0},
    "teacher 30, boundary 10": {"w_teacher": 30.0, "w_boundary": 10.0},
    "nearest": _FULL | {"arguments": {"upsampling": "nearest"}},
}
GROUPS = ("start", "ablation", "baseline")
MEASURES = (
    *("kid_lite0", "kid_lite1", "spectral_distance", "content", "edge_f1"),
    *("color_drift", "region_variance", "grid_db"),
)
REFERENCE, PHOTO, SELF = "reference", "photo", "style set against itself"
_DONE = "done.json"  # written last
# the baselines' steps of the first phase for each minute
FIRST_PHASE = {"fsgan": 100, "cartoongan": 4, "animegan": 8, "whitebox": 12}
FIRST_PHASE |= {"cartoongan/whitebox": 16, "animegan/whitebox": 16}
OWN = "fsgan"
BASELINES = (OWN, "cartoongan", "animegan", "ugatit_light", "whitebox")


@dataclasses.dataclass(frozen=True)
class TrainingRun:
    """One training run of the study."""

    group: str  # "start", "ablation" or "baseline"
    variant: str
    seed: int
    config: StylizerConfig

    @property
    def key(self) -> dict[str, str | int]:
        """The key columns of its row in the table."""
        return {"group": self.group, "variant": self.variant, "seed": self.seed}


def _folder(group: str, variant: str, seed: int | str) -> str:
    return f"{group}_{variant}_{seed}".replace(" ", "_").replace("/", "_")


def training_runs(study: StylizerTraining, out: str | Path) -> Iterator[TrainingRun]:
    """All training runs in an order in which they can be done: starts, ablations seed by seed, baselines."""
    out = Path(out)
    common = {
        "photos": str(study.photos),
        "style": str(study.data),
        "split_seed": 0,
        "crop": study.crop,
        "mixed_precision": "bf16",
        "threads": 1,
        "validate_every": 0,
        "checkpoint_every": study.checkpoint_every,
        "clock": "processor",
    }

    def training(group: str, variant: str, seed: int, recipe: str = "fsgan", **given) -> TrainingRun:
        folder = out / _folder(group, variant, seed)
        values = {**common, "seed": seed, "out": str(folder), **given}
        return TrainingRun(group, variant, seed, config_for(recipe, **values))

    steps: dict[str, Any] = {"distil_steps": study.distil_steps, "steps": study.distil_steps}
    bilinear = training("start", "bilinear", 0, crop=192, **steps)
    steps = {"distil_steps": study.settle_steps, "steps": study.settle_steps}
    given: dict[str, Any] = {
        "start": f"{bilinear.config.out}/weights.pt",
        "arguments": ABLATIONS["nearest"]["arguments"],
    }
    nearest = training("start", "nearest", 0, **given, **steps)
    yield from (bilinear, nearest)
    for seed in study.seeds:
        for variant, changes in ABLATIONS.items():
            start = nearest if variant == "nearest" else bilinear
            steps = {"distil_steps": 0, "steps": study.ablation_steps}
            start_weights = f"{start.config.out}/weights.pt"
            yield training("ablation", variant, seed, start=start_weights, **steps, **changes)
    for variant in study.baselines:
        recipe, _, architecture = variant.partition("/")
        limits: dict[str, Any] = {"steps": 1_000_000, "total_minutes": study.minutes}
        limits["distil_steps"] = round(FIRST_PHASE.get(variant, 0) * study.minutes)
        other = {"architecture": architecture} if architecture else {}
        yield training("baseline", variant, 0, recipe, **limits, **other)


def train(run: TrainingRun, data: SceneData) -> Path:
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
    with trainer.recipe.autocast():  # in the precision of training: large photos take seconds each
        for i, drawing in enumerate(trainer.stylize(data.test.values())):
            drawing.save(drawings / f"{i:03d}.png")
    _finish(folder, run.key, trainer.step, trainer.seconds)
    return drawings


def _finish(folder: Path, key: dict, steps: int, seconds: float | None) -> None:
    done = {"key": key, "steps": steps, "training_seconds": None if seconds is None else round(seconds, 1)}
    write_whole(json.dumps(done).encode(), folder / _DONE)


def draw_gatys(data: SceneData, out: str | Path, steps: int = 40) -> Path:
    """Gatys' optimisation of each test photo, each towards a random picture of the style.

    Its processor time is kept drawing by drawing, so that an interrupted study loses none; of drawings that
    were made without it the sum is not known.

    Returns:
        Folder of the drawings, as from :func:`train`.
    """
    from workbench.styles.gram import GramStylizer

    key = {"group": "baseline", "variant": "gatys", "seed": 0}
    folder = Path(out) / _folder("baseline", "gatys", 0) / "drawings"
    folder.mkdir(parents=True, exist_ok=True)
    clock = folder.parent / "seconds.json"
    seconds = json.loads(clock.read_text()) if clock.is_file() else {}
    chosen = np.random.default_rng(0).choice(len(data.style), len(data.test), replace=False)
    for i, photo in enumerate(data.test.values()):
        file = folder / f"{i:03d}.png"
        if not file.is_file():
            begun = time.process_time()
            pixels = GramStylizer(data.style[chosen[i]], steps=steps)(photo)
            seconds[file.name] = time.process_time() - begun
            write_whole(json.dumps(seconds).encode(), clock)
            Image.fromarray(pixels).save(file)
    timed = len(seconds) == len(data.test)
    _finish(folder.parent, key, steps, sum(seconds.values()) if timed else None)
    return folder


@register
@dataclasses.dataclass(frozen=True)
class StylizerTraining(Study):
    """What does each part of FSGAN's training do, and how good are other methods after the same minutes?

    Rows have group, variant, seed; steps and processor minutes of the training run (with those of its
    targets, without those of its start); the measures of :func:`workbench.studies.stylizers.stylizer_row`;
    KID-lite1; ``grid_db`` (:func:`workbench.metrics.grid.grid_excess`, less the photo's); of a baseline
    ``kid_lite0_less_fsgan``, its KID less that of FSGAN, if that is trained, paired. Beside the table
    lies ``…_effects.csv``, the rows of :func:`effects`, if there are ablations. Interrupted training
    resumes; drawings and regions of the photos are made once, in the study's folder.
    """

    version = 4  # other losses of the peers, whose first phase grows with the minutes
    keys = ("group", "variant", "seed")
    sources = ("photos", "data", "roles")
    selection = ("groups", "baselines", "seeds", "checkpoint_every")

    photos: str  # folder of photos
    data: str  # folder of pictures in the style
    groups: tuple[str, ...] = GROUPS  # which to train; what earlier calls trained is measured as well
    distil_steps: int = 2000  # of the start that all ablations share, on crops of 192 pixels
    settle_steps: int = 500  # of the same with nearest upsampling, from there
    ablation_steps: int = 250  # adversarial steps of each ablation
    seeds: tuple[int, ...] = (0, 1)  # of the ablations
    minutes: float = 5.0  # processor minutes of each baseline
    crop: int = 160  # side of the crops in pixels
    checkpoint_every: int = 25  # steps
    gatys_steps: int = 40  # of Gatys' optimisation, per picture
    roles: str = ""  # CSV of photo and role: which photos train, choose and report
    held_out: int = 40  # photos that report, with ROLES
    # recipes trained from random weights; RECIPE/ARCHITECTURE gives one another generator than its own
    baselines: tuple[str, ...] = BASELINES

    def folder(self, out: str | os.PathLike) -> Path:
        """Folder of the training runs, named by pictures and budgets."""
        return Path(out) / self.content_key[-12:]

    def run(self, out: str | os.PathLike) -> Path:
        """Train what is not trained, measure it, and write the table and its effects."""
        out = Path(out)
        work = self.folder(out)
        wanted = list(training_runs(self, work))
        config = dataclasses.replace(wanted[0].config, out=str(work))
        data = load_data(config, self.roles, self.held_out)
        rule = {"split": stylizer_pictures.split_of(self.photos, config.held_out, 0, self.roles)}
        for one in wanted:
            if one.group in self.groups:
                train(one, data)
        if "baseline" in self.groups:
            draw_gatys(data, work, self.gatys_steps)
        references = [{"group": REFERENCE, "variant": v, "seed": 0} for v in (PHOTO, SELF)]
        done = [json.loads(f.read_text())["key"] for f in sorted(work.glob(f"*/{_DONE}"))]
        shared = stylizer_pictures.episodes(picture_names(self.data))
        measured = judge(data, work, shared)
        path = self.runs(out).do([*references, *done], lambda **run: measured(**run) | rule, desc="measuring")
        if any(row["group"] == "ablation" for row in read_rows(path)):
            write_effects(path)
        return path


def folders(photos: str | Path, style: str | Path, out: str | Path) -> tuple[Path, Path]:
    """The folders of photos and style pictures, created in ``out`` if none are given.

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
        for name, photo in stylizer_pictures.free_photos().items():
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
        for i, picture in enumerate(stylizer_pictures.read_style(style).values()):
            write_image(Image.fromarray(picture), made[1] / f"{i:03d}.png")
    return made[0], made[1]


def drawings_of(out: str | Path, group: str = "ablation", count: int = 3) -> dict[str, list[NDArray]]:
    """The first ``count`` drawings of held-out photos by each finished run of ``group`` in ``out``, by
    variant: uint8 (H, W, 3), of the first seed that is there.
    """
    found: dict[str, list[NDArray]] = {}
    for done in sorted(Path(out).glob(f"*/{_DONE}")):
        key = json.loads(done.read_text())["key"]
        files = sorted((done.parent / "drawings").glob("*.png"))[:count]
        if key["group"] == group and key["variant"] not in found:
            found[key["variant"]] = [np.asarray(read_image(file)) for file in files]
    return found


def judge(data: SceneData, out: Path, groups: Sequence[str]) -> Callable[..., dict]:
    """A function that measures a finished training run in ``out``; see :class:`StylizerTraining`.

    ``groups`` says which pictures of the style belong together (a comic's episodes).
    """
    large = [i for i, p in enumerate(data.test.values()) if min(p.shape[:2]) >= 2 * spectrum.SIDE]
    photos = {name: p for i, (name, p) in enumerate(data.test.items()) if i in large}
    shared = [g for g, p in zip(groups, data.style, strict=True) if min(p.shape[:2]) >= 2 * spectrum.SIDE]
    evaluator = cache(lambda: stylizers.Evaluator(_large(data.style), shared))
    judge = cache(lambda: StyleJudge(_large(data.style), variant="lite1", groups=shared))
    untouched = cache(lambda: judge().features(map(Image.fromarray, photos.values())))

    def drawings(group: str, variant: str, seed: int) -> list[NDArray]:
        if group == REFERENCE:
            return list(photos.values())
        folder = out / _folder(group, variant, seed) / "drawings"
        return [np.asarray(read_image(folder / f"{i:03d}.png")) for i in large]

    def one(group: str, variant: str, seed: int) -> dict[str, float]:
        if variant == SELF:
            return stylizers.compare_style_halves(evaluator())
        shown = drawings(group, variant, seed)
        by_photo = {photo.tobytes(): drawing for photo, drawing in zip(photos.values(), shown, strict=True)}
        done = out / _folder(group, variant, seed) / _DONE
        cost = json.loads(done.read_text()) if done.is_file() else {}
        row, *_ = stylizers.stylizer_row(evaluator(), photos, lambda photo: by_photo[photo.tobytes()])
        del row["ms_picture"]  # of looking it up
        if group == "baseline" and variant != OWN and (out / _folder(group, OWN, 0) / _DONE).is_file():
            row |= _less_own(shown, drawings("baseline", OWN, 0), evaluator())
        grid = [grid_excess(d) - grid_excess(p) for d, p in zip(shown, photos.values(), strict=True)]
        return {
            "steps": cost.get("steps", ""),
            "minutes": "" if cost.get("training_seconds") is None else cost["training_seconds"] / 60,
            **row,
            **judge().columns(judge().features(map(Image.fromarray, shown)), untouched()),
            "grid_db": float(np.mean(grid)),
            "grid_db_error": float(np.std(grid, ddof=1) / len(grid) ** 0.5),
        }

    return one


def effects(
    table: Sequence[Mapping[str, str]], measures: Sequence[str] = MEASURES
) -> list[dict[str, str | float]]:
    """The effect of leaving a part out: each ablation minus the full recipe with the same seed.

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
            row |= columns(measure, float(np.mean(gaps)), min(gaps), max(gaps))
        found.append(row)
    return found


def write_effects(table: str | Path) -> Path:
    """Write the rows of :func:`effects` beside a table of the study, as ``…_effects.csv``."""
    table = Path(table)
    return write_rows(effects(read_rows(table)), table.with_name(f"{table.stem}_effects.csv"))


def _less_own(
    theirs: Sequence[NDArray], ours: Sequence[NDArray], evaluator: stylizers.Evaluator
) -> dict[str, float]:
    """Columns of the KID of a baseline's drawings less that of FSGAN's, paired over the photos."""
    features = evaluator.features(theirs), evaluator.features(ours)
    gap = kid.kid_difference(*features, evaluator.style_features, evaluator.style_groups)
    return columns(f"kid_lite0_less_{OWN}", gap.estimate, gap.low, gap.high)


def _large(pictures: Sequence[NDArray]) -> list[NDArray]:
    """Those whose spectrum can be measured."""
    return [p for p in pictures if min(p.shape[:2]) >= 2 * spectrum.SIDE]
