"""A labelled data set by the atelier: class folders, a table with painters, votes and factors, and masks.

Every picture has a seal, by default of a shape that is independent of the mood. Two options plant shortcuts
that a classifier might learn: a seal that predicts the mood, and painters or papers correlated with moods.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from tqdm import tqdm

from workbench.core.cache import user_cache
from workbench.core.errors import DatasetError, UnknownNameError
from workbench.core.files import write_image, write_whole
from workbench.core.runs import write_rows
from workbench.data.atelier.factors import FACTORS, MOODS, votes
from workbench.data.atelier.painting import PAINTERS, AtelierPainting, paint
from workbench.data.atelier.paper import PAPERS, SEALS
from workbench.data.images import ATELIER_FILE, ATELIER_MASKS, read_image
from workbench.data.paintings import Paintings, read_paintings

log = logging.getLogger(__name__)

VERSION = 1  # raise it when the same seed gives another picture, so that cached data sets are painted again
NAME = "atelier"
CONFOUNDS = ("painter", "paper")
CHANCE = 1 / len(SEALS)
SEAL_OF = dict(zip(MOODS, SEALS, strict=True))  # the seal that a planted cue gives each mood
MASKS, SEAL_MASKS = ATELIER_MASKS


def write_atelier(
    out: str | os.PathLike,
    n: int = 500,
    seed: int = 0,
    size: int = 256,
    painters: int = PAINTERS,
    *,
    seal_cue: float = CHANCE,
    confound: str | None = None,
    strength: float = 0.8,
) -> Path:
    """Paint ``n`` pictures, equally many of each mood (to within one).

    ``out`` then holds ``MOOD/NUMBER.png``, ``ratings.csv`` (path, label, painter, votes_MOOD …, motif, paper,
    seal, picture_seed, the factors, the measures), ``masks/MOOD/NUMBER.png`` (255 where the mood is carried),
    ``seal_masks/MOOD/NUMBER.png`` and ``atelier.json`` (the arguments). The label is the mood that was
    painted; the votes are those of simulated raters, who perceive the factors with noise and may disagree.

    Args:
        out: a new or empty folder. It is filled only when the data set is complete.
        n: pictures, 10 to 100,000.
        seed: of the whole set.
        size: side in pixels.
        painters: number of painters, 2 or more, assigned at random.
        seal_cue: probability that a picture has the seal of its mood; ``1/5`` is chance, so no cue.
        confound: "painter" (each painter prefers one mood) or "paper" (each mood prefers one paper).
        strength: probability that a picture follows the confound.

    Raises:
        DatasetError: ``out`` is not empty, or a number is out of range.
        UnknownNameError: ``confound`` is unknown.
    """
    out = Path(out)
    _check(out, n, seed, painters, seal_cue, confound, strength)
    part = out.with_name(f".{out.name}.{os.getpid()}.part")
    shutil.rmtree(part, ignore_errors=True)
    settings: dict[str, Any] = {"version": VERSION, "n": n, "seed": seed, "size": size, "painters": painters}
    settings |= {"seal_cue": seal_cue, "confound": confound, "strength": strength if confound else None}
    try:
        rows = []
        for i in tqdm(range(n), desc="painting", unit="picture", disable=None):
            rows.append(_write_one(part, i, settings))
        write_rows(rows, part / "ratings.csv")
        write_whole((json.dumps(settings, indent=2) + "\n").encode(), part / ATELIER_FILE)
        if out.is_dir():
            out.rmdir()
        part.replace(out)
    except OSError as error:
        raise DatasetError(
            f"{out} cannot be written ({error.strerror}). Check the path, its permissions and the free space."
        ) from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return out


def is_atelier(source: str | os.PathLike) -> bool:
    """Whether ``source`` asks for painted pictures (``atelier:N``) and not for a folder."""
    return str(source).split(":")[0] == NAME and not Path(source).is_dir()


def open_dataset(
    source: str | os.PathLike, ratings: str | os.PathLike | None = None, n: int = 500, seed: int = 0
) -> Paintings:
    """Labelled paintings from a folder, or painted by the atelier.

    Files of the folder that cannot be read are passed over: a warning names each, ``unreadable`` has them.

    Args:
        source: ``"atelier"``, ``"atelier:N"`` or ``"atelier:N:SEED"`` (painted once into the user's cache
            folder, then read from there), else a folder for
            :func:`~workbench.data.paintings.read_paintings`.
        ratings: the table of a folder, if it is not its ``ratings.csv``.
        n: number of pictures if ``source`` gives none.
        seed: of the atelier if ``source`` gives none.

    Raises:
        DatasetError: malformed ``atelier:N:SEED``, or see ``read_paintings``.
    """
    if not is_atelier(source):
        return read_paintings(source, ratings, skip_unreadable=True)
    _, *numbers = str(source).split(":")
    if len(numbers) > 2 or not all(part.isdigit() for part in numbers):
        raise DatasetError(f"Expected atelier, atelier:N or atelier:N:SEED but got {source}. Correct it.")
    n, seed = (*map(int, numbers), *(n, seed)[len(numbers) :])
    folder = user_cache(NAME) / f"v{VERSION}-n{n}-seed{seed}"
    if not (folder / "ratings.csv").is_file():
        log.info("Painting %d pictures into %s", n, folder)
        try:
            write_atelier(folder, n, seed)
        except DatasetError:
            if not (folder / "ratings.csv").is_file():  # another process may have written it meanwhile
                raise
    return read_paintings(folder)


def read_mask(data: Paintings, index: int, kind: str = MASKS) -> NDArray[np.bool_]:
    """(H, W) bool mask of picture ``index``: its mood region (``"masks"``) or its seal (``"seal_masks"``).

    Raises:
        UnknownNameError: any other ``kind``.
        DatasetError: the data set has no masks, as only the atelier's do.
    """
    if kind not in (MASKS, SEAL_MASKS):
        raise UnknownNameError("mask", kind, (MASKS, SEAL_MASKS))
    path = data.root / kind / data.paths[index]
    if not path.is_file():
        raise DatasetError(
            f"Expected the mask {path} but there is none. Only the atelier's pictures have masks."
        )
    return np.asarray(read_image(path).convert("L")) > 127


def _check(out, n, seed, painters, seal_cue, confound, strength) -> None:
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise DatasetError(f"Expected a new or empty folder but {out} is in use. Give another.")
    if not 10 <= n <= 100_000:
        raise DatasetError(f"Expected 10 to 100,000 pictures but got {n}. Choose another number.")
    if seed < 0:
        raise DatasetError(f"Expected a seed of 0 or more but got {seed}. Choose another.")
    if painters < 2:
        raise DatasetError(f"Expected at least 2 painters but got {painters}. Choose more.")
    for name, value in (("seal_cue", seal_cue), ("strength", strength)):
        if not 0 <= value <= 1:
            raise DatasetError(f"Expected {name} in 0..1 but got {value}. It is a probability.")
    if confound is not None and confound not in CONFOUNDS:
        raise UnknownNameError("confound", confound, CONFOUNDS)


def _write_one(folder: Path, i: int, settings: dict) -> dict:
    """Paint picture ``i``, write it with its masks, return its row."""
    rng = np.random.default_rng([settings["seed"], i, 11])
    index = i % len(MOODS)
    mood, others = MOODS[index], [shape for m, shape in SEAL_OF.items() if m != MOODS[index]]
    follows = settings["confound"] if rng.random() < (settings["strength"] or 0) else None
    painter = int(rng.integers(settings["painters"]))
    if follows == "painter":
        fitting = [p for p in range(settings["painters"]) if p % len(MOODS) == index] or [painter]
        painter = int(rng.choice(fitting))
    shape = SEAL_OF[mood] if rng.random() < settings["seal_cue"] else str(rng.choice(others))
    picture_seed = settings["seed"] * 100_000 + i
    tone = index % len(PAPERS) if follows == "paper" else None
    done: AtelierPainting = paint(
        mood, picture_seed, settings["size"], seal=shape, painter=painter, paper_tone=tone
    )
    name = f"{mood}/{i:05d}.png"
    write_image(done.image, folder / name)
    write_image(Image.fromarray(done.mask.astype(np.uint8) * 255), folder / MASKS / name)
    seal_mask = np.zeros_like(done.mask) if done.seal_mask is None else done.seal_mask
    write_image(Image.fromarray(seal_mask.astype(np.uint8) * 255), folder / SEAL_MASKS / name)
    row: dict[str, Any] = {"path": name, "label": mood, "painter": done.painter}
    row |= {f"votes_{m}": f"{v:.2f}" for m, v in zip(MOODS, votes(done.factors, rng), strict=True)}
    row |= {"motif": done.motif, "paper": done.paper, "seal": shape, "picture_seed": picture_seed}
    row |= {name: f"{done.factors[name]:.4f}" for name in FACTORS}
    return row | {name: f"{value:.4f}" for name, value in done.measures.items()}
