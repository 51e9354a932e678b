"""``workbench bench …``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Literal

import typer

from workbench.cli.common import Device, table
from workbench.core import devices

bench = typer.Typer(help="Measure what networks cost on this machine.", no_args_is_help=True)


@bench.command("platform")
def bench_platform(
    out: Annotated[Path, typer.Option(help="CSV to write; finished runs in it are skipped.")] = Path(
        "runs/platform.csv"
    ),
    engine: Annotated[
        Literal["local", "ray", "all"], typer.Option(help="Where jobs run; all: in turn, Ray where it is.")
    ] = "all",
    workers: Annotated[int, typer.Option(min=1, help="Jobs at a time.")] = 2,
    jobs: Annotated[int, typer.Option(min=20, help="Jobs that are submitted at once.")] = 200,
) -> None:
    """Measure the job platform: throughput, overhead per picture, memory, recovery after a crash.

    With the local engine also the page: 30 clients at once, memory over 20 rounds, connections held, faults.
    Each figure is written as soon as it is there, with the load of the machine before it.
    """
    from importlib.util import find_spec

    from workbench.service.loadtest import load_before, measure

    if engine in ("local", "all"):
        from workbench.ui.loadtest import figures  # the page's pictures are drawn here, wherever jobs run

        measure(out, "local", workers, jobs, figures(workers))
    if engine == "ray" or (engine == "all" and find_spec("ray") is not None):
        measure(out, "ray", workers, jobs)
    typer.echo(f"{out}: the machine's load was at most {load_before(out):.1f} before a figure; 0 is quiet.")


@bench.command("video")
def bench_video(
    out: Annotated[Path, typer.Option(help="CSV to write; finished runs in it are skipped.")] = Path(
        "runs/video_speed.csv"
    ),
    threads: Annotated[int, typer.Option(min=1, help="CPU threads of the generator.")] = 2,
    rounds: Annotated[int, typer.Option(min=1, help="Timed rounds; medians are kept.")] = 3,
    frames: Annotated[int, typer.Option(min=8, help="Frames of the film.")] = 48,
    size: Annotated[tuple[int, int], typer.Option(min=16, metavar="COLUMNS ROWS", help="Of the film.")] = (
        1280,
        720,
    ),
) -> None:
    """Measure the speed of redrawing a video from file to file, relative to the generator alone."""
    from workbench.studies.video_speed import VideoSpeed

    study = VideoSpeed(width=size[0], height=size[1], frames=frames, threads=threads, rounds=rounds)
    typer.echo(str(study.run(out)))


@bench.command("stylizers")
def bench_stylizers(
    output: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Also write the table as JSON.")
    ] = None,
    threads: Annotated[int, typer.Option(min=1, help="CPU threads of the networks.")] = 2,
    rounds: Annotated[int, typer.Option(min=1, help="Timed rounds; the median is shown.")] = 5,
    device: Device = None,
) -> None:
    """Compare this project's generators with published ones: parameters, GMACs, latency, memory, ratio."""
    from workbench.bench import bench_stylizers as measure
    from workbench.bench import table as rows_of
    from workbench.core.files import write_whole

    devices.choose(device)  # also applies to the processes that measure memory
    result = measure(threads=threads, rounds=rounds)
    typer.echo(table(rows_of(result)))
    typer.echo(result["notes"])
    if output is not None:
        write_whole((json.dumps(result, indent=2) + "\n").encode(), output)


@bench.command("collection")
def bench_collection(
    out: Annotated[Path, typer.Option(help="CSV to write; finished runs in it are skipped.")] = Path(
        "runs/collection_speed.csv"
    ),
    counts: Annotated[
        list[int] | None, typer.Option("--count", min=2, help="Painted pictures; 100 and 1000 if not given.")
    ] = None,
    size: Annotated[int, typer.Option(min=64, help="Side of the pictures in pixels.")] = 512,
    steps: Annotated[
        list[str] | None, typer.Option("--step", help="measure, embed, neighbours or map; all if not given.")
    ] = None,
) -> None:
    """Measure pictures per second and memory of measure, embed, neighbours and map against their number.

    How each of them grows is printed, and lies beside the table.
    """
    from workbench.core.errors import UnknownNameError
    from workbench.core.runs import read_rows
    from workbench.studies.collection_speed import STEPS, CollectionSpeed, growth

    for step in steps or ():
        if step not in STEPS:
            raise UnknownNameError("step", step, STEPS)
    path = CollectionSpeed(tuple(counts or (100, 1000)), size, tuple(steps or STEPS)).run(out)
    shown = ("size", "step", "fewest", "most", "exponent", "growth")
    rows = [
        [f"{v:.2f}" if isinstance(v, float) else str(v) for v in map(row.get, shown)]
        for row in growth(read_rows(path))
    ]
    if rows:
        typer.echo(table([shown, *map(tuple, rows)]))
    typer.echo(str(path))
