"""The stimuli: the pictures of a study in its styles, prepared before the study starts."""

from __future__ import annotations

import dataclasses
import logging
import math
from pathlib import Path

from PIL import Image
from tqdm import tqdm

from workbench.core.cache import Cache, key
from workbench.core.errors import ImageError, WorkbenchError
from workbench.core.files import write_image
from workbench.data.images import list_images, read_image
from workbench.rating.study import ORIGINAL, Study

log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Stimulus:
    """A picture in one style."""

    id: str  # in its address on the page; reveals neither name nor style
    file: Path
    source: str  # path of the picture in the study's folder
    style: str
    size: tuple[int, int]  # width, height
    is_practice: bool = False

    @property
    def picture(self) -> str:
        """Name in the tables: the source, and the style if it is redrawn."""
        return self.source if self.style == ORIGINAL else f"{self.style}/{self.source}"


def prepare(study: Study, folder: Path) -> tuple[list[Stimulus], list[str]]:
    """Write the pictures of a study as JPEG without metadata, drawn in its styles; existing files are kept.

    Args:
        study: with its pictures, styles and size.
        folder: of the prepared pictures.

    Returns:
        The stimuli, source by source and in the order of the styles, practice pictures last; and one
        line per picture that is left out of all styles because it cannot be read or drawn.

    Raises:
        WorkbenchError: fewer than two pictures are left, an unknown style, or the folder cannot be written.
    """
    if set(study.styles) - {ORIGINAL}:
        from workbench.styles.stylize import get

        for style in study.styles:
            if style != ORIGINAL:
                get(style)  # fails before any work
    cache = Cache(folder)
    works = [(study.pictures, path, study.styles, False) for path in list_images(study.pictures)]
    if study.practice is not None:
        works += [(study.practice, path, (ORIGINAL,), True) for path in list_images(study.practice)]
    stimuli: list[Stimulus] = []
    skipped: list[str] = []
    for root, path, styles, is_practice in tqdm(works, desc="pictures", unit="picture", disable=None):
        source = path.relative_to(root).as_posix()
        try:
            files = [_make(cache, path, style, study.megapixels) for style in styles]
        except ImageError as error:
            skipped.append(f"{source}: {error}")
            continue
        stimuli += [
            Stimulus(
                f"{'p' if is_practice else 's'}{len(stimuli) + i}", file, source, style, size, is_practice
            )
            for i, (style, (file, size)) in enumerate(zip(styles, files, strict=True))
        ]
    if len({s.source for s in stimuli if not s.is_practice}) < 2:
        raise WorkbenchError(
            f"Expected two pictures or more in {study.pictures} but {len(skipped)} cannot be read and the "
            f"rest are too few. {' '.join(skipped[:1])}".rstrip()
        )
    return stimuli, skipped


def _make(cache: Cache, path: Path, style: str, megapixels: float) -> tuple[Path, tuple[int, int]]:
    """File and size of a picture in one style."""
    name = key("stimulus", 1, (style, megapixels), picture=path)

    def draw() -> Image.Image:
        image = read_image(path)
        share = math.sqrt(1e6 * megapixels / (image.width * image.height))
        if share < 1:  # by area, so that a long scroll keeps its details
            size = max(1, round(share * image.width)), max(1, round(share * image.height))
            image = image.resize(size, Image.Resampling.LANCZOS)
        if style == ORIGINAL:
            return image
        from workbench.styles.stylize import stylize

        return stylize(image, style)  # at the size shown, like the original

    def size(file: Path) -> tuple[int, int]:
        with Image.open(file) as image:
            return image.size

    cache.get(name, ".jpg", draw, size, lambda file, image: write_image(image, file))
    return cache.path(name, ".jpg"), size(cache.path(name, ".jpg"))
