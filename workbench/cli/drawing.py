"""``workbench stylize`` and ``workbench video``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from workbench.cli.common import pictures, report, with_options
from workbench.core.errors import ImageError, WorkbenchError
from workbench.styles.options import DrawOptions, VideoLimits, VideoOptions


@with_options(options=DrawOptions)
def stylize(
    source: Annotated[Path, typer.Argument(metavar="IN", help="A picture, or a folder of them.")],
    target: Annotated[Path, typer.Argument(metavar="OUT", help="Where to write: a file, or a folder.")],
    options: DrawOptions,
) -> None:
    """Redraw a picture, or every picture in a folder (written as PNG under the same relative paths).

    If OUT is a folder, files that the workbench did not write are kept, and the drawing gets a number.
    Pictures of up to 200 megapixels are drawn as they are, larger ones (up to 300) reduced to that. Memory
    is about 0.9 GB and 12 bytes a pixel: 3.3 GB at 200 megapixels. No side may have more than 200,000 pixels.

    Pictures that cannot be read or drawn (in a portrait style, those without a face) are skipped and listed
    at the end, and the exit code is then 1.
    """
    from tqdm import tqdm

    if not source.is_dir():
        out = _target_file(source, target)
        with tqdm(total=100, desc=source.name, unit="%", disable=None, leave=False) as bar:
            _draw(source, out, options, lambda share: bar.update(round(100 * share) - bar.n))
        typer.echo(str(out))
        return

    from workbench.styles.stylize import get

    pairs = _target_files(source, target)
    get(options.style).check(options.runtime, options.device)
    failed = []
    for one, out in tqdm(pairs, desc=str(source), unit="picture", disable=None):
        try:
            _draw(one, out, options)
        except (WorkbenchError, OSError) as error:
            failed.append(f"{one.relative_to(source)}: {error}")
    typer.echo(f"{len(pairs) - len(failed)} of {len(pairs)} pictures written to {target}")
    report(failed)


@with_options(options=VideoOptions, limits=VideoLimits)
def video(
    source: Annotated[Path, typer.Argument(metavar="IN", help="A video: MP4, MOV, MKV, WebM, AVI, GIF …")],
    target: Annotated[Path, typer.Argument(metavar="OUT", help="A file ending in .mp4, or a folder.")],
    options: VideoOptions,
    limits: VideoLimits,
) -> None:
    """Redraw a video as an MP4 that browsers play, with its sound; nothing is written if it fails."""
    import dataclasses

    from tqdm import tqdm

    from workbench.core.files import free_name
    from workbench.styles.video import Progress, stylize_video

    if source.is_dir():
        raise WorkbenchError(f"Expected a video but {source} is a folder. Draw its films one by one.")
    if target.is_dir():
        target = free_name(target / f"{source.stem}.mp4")
    with tqdm(desc=source.name, unit="frame", disable=None, leave=False) as bar:

        def show(progress: Progress) -> None:
            bar.total = progress.total
            bar.update(progress.done - bar.n)

        done = stylize_video(source, target, progress=show, limits=limits, **dataclasses.asdict(options))
    typer.echo(f"{done.path} ({done.frames} frames, {done.seconds:.1f} s, sound: {done.audio})")
    if done.damaged:
        typer.echo(f"{done.damaged} damaged packets of {source} were left out", err=True)
    if done.unchanged and options.strength:
        typer.echo(f"{done.unchanged} of {done.frames} frames show no face and were left unchanged", err=True)


def _draw(
    source: Path, target: Path, options: DrawOptions, progress: Callable[[float], None] | None = None
) -> None:
    from workbench.core.files import write_image
    from workbench.data.images import MOST_DRAWN, read_image
    from workbench.styles.stylize import stylize

    picture = read_image(source, MOST_DRAWN)
    if full := picture.info.get("reduced_from"):
        size = f"{picture.width}×{picture.height}"
        typer.echo(f"{source} has {full[0]}×{full[1]} pixels and is redrawn at {size}", err=True)
    write_image(stylize(picture, progress=progress, **vars(options)), target, signed=True)


def _target_file(source: Path, target: Path) -> Path:
    """Output file for one picture; raises for the picture itself and for formats that cannot be written."""
    from workbench.core.files import check_output, free_name

    if target.is_dir():
        return free_name(target / f"{source.stem}.png")
    check_output(target)
    if target.exists() and source.exists() and target.samefile(source):
        raise WorkbenchError(
            f"{target} is the input picture itself, which is never overwritten. Give another output."
        )
    return target


def _target_files(source: Path, target: Path) -> list[tuple[Path, Path]]:
    """(picture, output) for every picture of a folder, except those in ``target`` if that is inside it.

    A file in ``target`` is replaced only if the workbench wrote it.
    """
    from workbench.core.files import free_name, output_names

    if target.exists() and not target.is_dir():
        raise WorkbenchError(
            f"Expected a folder to write to, as the input is one, but {target} is a file. Give a folder."
        )
    if source.resolve() == target.resolve():
        raise WorkbenchError(
            f"{target} is the input folder itself, which is left as it is. Give another folder."
        )
    paths = pictures(source)
    if source.resolve() in target.resolve().parents:
        paths = [path for path in paths if target.resolve() not in path.resolve().parents]
    if not paths:
        raise ImageError(
            f"Expected pictures in {source}, outside of {target}, but found none. Check the paths."
        )
    names = output_names([path.relative_to(source) for path in paths], ".png")
    outputs = [target / name for name in names]
    taken = {path.resolve() for path in paths}.intersection(path.resolve() for path in outputs)
    if taken:
        raise WorkbenchError(
            f"{min(taken)} is both an input and an output; inputs are never overwritten. Give another folder."
        )
    outputs = [free_name(path, ours=True) for path in outputs]
    return list(zip(paths, outputs, strict=True))
