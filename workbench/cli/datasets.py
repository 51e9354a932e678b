"""``workbench data …``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Literal

import typer

data = typer.Typer(help="Make and check data sets.", no_args_is_help=True)


@data.command("atelier")
def data_atelier(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="A new or empty folder.")],
    n: Annotated[int, typer.Option("--n", help="Pictures, equally many of each mood.")] = 500,
    seed: Annotated[
        int, typer.Option(help="Seed of the whole set: the same seed gives the same pictures.")
    ] = 0,
    size: Annotated[int, typer.Option(help="Side in pixels.")] = 256,
    painters: Annotated[int, typer.Option(help="Number of simulated painters.")] = 24,
    seal_cue: Annotated[
        float, typer.Option(help="Probability that the seal indicates the mood; 0.2 is chance, no cue.")
    ] = 0.2,
    confound: Annotated[
        Literal["painter", "paper"] | None, typer.Option(help="Make painters or papers correlate with moods.")
    ] = None,
    strength: Annotated[float, typer.Option(help="Probability that a picture follows the confound.")] = 0.8,
) -> None:
    """Paint a labelled set of ink pictures whose moods, factors and mood regions are known.

    The folder holds one sub-folder per mood, ratings.csv (painters, votes, factors) and the masks. Every
    command that takes a folder of paintings accepts it.
    """
    from workbench.data.atelier import write_atelier

    paintings = write_atelier(
        out, n, seed, size, painters, seal_cue=seal_cue, confound=confound, strength=strength
    )
    typer.echo(str(paintings))


@data.command("check")
def data_check(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="One sub-folder per class, or with a table.")],
    ratings: Annotated[
        Path | None,
        typer.Option(help="CSV: path, label, painter, votes_CLASS …; ratings.csv in DIR if there."),
    ] = None,
    near_duplicates: Annotated[
        bool,
        typer.Option(
            help="Also look for near-duplicates: the first time about 0.2 s per picture on one core, 0.5 s "
            "per photograph of 12 megapixels."
        ),
    ] = True,
    every: Annotated[
        bool, typer.Option("--all", help="List every example of a problem or note, not the first five.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the whole card as JSON.")] = False,
) -> None:
    """Check a folder of labelled paintings before training on it.

    Finds unreadable files, duplicates and near-duplicates (in one group, and across groups and classes), too
    small classes and groups, long scrolls, names that may be one painter's (in traditional and simplified
    characters, another order of words, or a title), and labels for which fewer raters voted than for another.
    It says which names of painters it brought together. The exit code is 1 if a problem would spoil training.
    """
    from workbench.data.check import check_dataset
    from workbench.data.findings import SHOWN, summary

    card = check_dataset(
        folder, ratings, near_duplicates=near_duplicates, progress=True, shown=None if every else SHOWN
    )
    typer.echo(json.dumps(card.to_dict(), indent=2, ensure_ascii=False) if as_json else summary(card))
    if not card.ok:
        raise typer.Exit(1)
