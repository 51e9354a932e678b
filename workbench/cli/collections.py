"""``workbench embed``, ``neighbours`` and ``map``: a folder of pictures, labelled or not."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from workbench.cli.common import Device, report

Folder = Annotated[Path, typer.Argument(metavar="DIR", help="A folder of pictures, flat or nested.")]


Backbone = Annotated[
    str,
    typer.Option(
        help="lite0, lite1, trained weights with a card (a name of `workbench models` or a .safetensors "
        "file), or any architecture of timm."
    ),
]
Weights = Annotated[
    Path | None, typer.Option(help="File of the architecture's weights; without it they are downloaded.")
]


def embed(
    folder: Folder,
    out: Annotated[
        Path, typer.Option(metavar="FILE", help="Table to write: .parquet, .csv or .json.")
    ] = Path("embeddings.parquet"),
    backbone: Backbone = "lite0",
    weights: Weights = None,
    shard: Annotated[
        str | None,
        typer.Option(
            metavar="I/N",
            help="Embed the I-th of N parts only, beside other processes or machines; the same command "
            "without this writes the table.",
        ),
    ] = None,
    device: Device = None,
) -> None:
    """Embed the pictures of a folder by an image network: one vector per picture.

    Stopped at any moment, the same command goes on where it was. Pictures that cannot be read are named and
    the exit code is then 1.
    """
    from workbench.core import tables
    from workbench.interpret import embedding

    tables.check_table(out)
    cache = out.with_name(f"{out.name}.cache")
    part = None if shard is None else _part(shard)
    found = embedding.embed(folder, backbone, weights=weights, cache=cache, shard=part, device=device)
    if part is None:
        typer.echo(str(tables.write_table(found.rows(), out)))
    else:
        typer.echo(f"{cache}: part {part[0]} of {part[1]}, {len(found.paths)} pictures")
    report([f"{path}: {reason}" for path, reason in found.skipped.items()])


def _part(shard: str) -> tuple[int, int]:
    """ "2/4" as (2, 4)."""
    from workbench.core.errors import WorkbenchError

    number, _, count = shard.partition("/")
    if not (number.isdigit() and count.isdigit() and 1 <= int(number) <= int(count)):
        raise WorkbenchError(f"Expected --shard I/N with I from 1 to N, such as 2/4, but got {shard!r}.")
    return int(number), int(count)


def neighbours(
    table: Annotated[Path, typer.Argument(metavar="EMBEDDINGS", help="Table of `workbench embed`.")],
    out: Annotated[Path, typer.Option(metavar="FILE", help="Table to write.")] = Path("neighbours.csv"),
    count: Annotated[int, typer.Option(min=1, help="Neighbours per picture.")] = 10,
    alike: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Also write the near-duplicates.")
    ] = None,
    threshold: Annotated[float, typer.Option(help="Least cosine of near-duplicates, in (0, 1].")] = 0.9,
    outliers: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Also write how far each picture lies from the others."),
    ] = None,
) -> None:
    """List the nearest pictures of each picture, and on demand near-duplicates and outliers."""
    from workbench.core import tables
    from workbench.core.errors import WorkbenchError
    from workbench.data.neighbours import alike_pairs, nearest, outlier_scores

    for path in filter(None, (out, alike, outliers)):
        tables.check_table(path)
    frame = tables.read_table(table)
    if "path" not in frame or "e0" not in frame:
        raise WorkbenchError(f"Expected a table of `workbench embed` but {table.name} lacks path or e0.")
    names = frame["path"].tolist()
    vectors = frame[[c for c in frame if c[0] == "e" and c[1:].isdigit()]].to_numpy("float32")
    try:
        indices, cosines = nearest(vectors, count)
        pairs = alike_pairs(vectors, threshold) if alike else None
    except ValueError as error:
        raise WorkbenchError(str(error)) from error
    rows = [
        {"path": names[i], "rank": rank + 1, "neighbour": names[j], "similarity": float(cosines[i, rank])}
        for i in range(len(names))
        for rank, j in enumerate(indices[i])
    ]
    typer.echo(str(tables.write_table(rows, out)))
    if alike and pairs:
        found = [
            {"first": names[i], "second": names[j], "similarity": float(s)}
            for i, j, s in zip(*pairs, strict=True)
        ]
        typer.echo(str(tables.write_table(found, alike)))
    if outliers:
        scores = outlier_scores(vectors, count)
        ranked = sorted(zip(names, scores.tolist(), strict=True), key=lambda row: -row[1])
        typer.echo(str(tables.write_table([{"path": p, "outlier": s} for p, s in ranked], outliers)))


def map_(
    folder: Folder,
    out: Annotated[Path, typer.Option(metavar="FILE.html", help="Page to write.")] = Path("map.html"),
    joined: Annotated[
        list[Path] | None,
        typer.Option(
            "--table", help="Table with a column path, to colour and filter by; any number of them."
        ),
    ] = None,
    backbone: Backbone = "lite0",
    weights: Weights = None,
    seed: Annotated[int, typer.Option(help="Of the layout.")] = 0,
    device: Device = None,
) -> None:
    """Draw a map of a folder: one HTML file in which pictures that look alike lie side by side.

    Pictures that cannot be read are named and the exit code is then 1.
    """
    from workbench.core import tables
    from workbench.core.errors import WorkbenchError
    from workbench.core.extras import require
    from workbench.interpret import collection_map, embedding

    require("collection")  # before minutes of work
    if out.suffix.lower() not in (".html", ".htm"):
        raise WorkbenchError(f"Expected a page ending in .html but got {out.name}. Rename it.")
    columns: dict[str, dict[str, object]] = {}
    for table in joined or ():
        frame = tables.read_table(table)
        if "path" not in frame or frame["path"].duplicated().any():
            raise WorkbenchError(f"Expected a column path with every picture once in {table.name}.")
        for name in frame.columns.drop("path"):
            columns[str(name)] = dict(zip(frame["path"], frame[name].tolist(), strict=True))
    cache = out.with_name(f"{out.name}.cache")
    embeddings = embedding.embed(folder, backbone, weights=weights, cache=cache, device=device)
    values = {name: [column.get(path) for path in embeddings.paths] for name, column in columns.items()}
    page = collection_map.map_collection(folder, embeddings, values, title=folder.resolve().name, seed=seed)
    typer.echo(str(page.save(out)))
    report([f"{path}: {reason}" for path, reason in embeddings.skipped.items()])
