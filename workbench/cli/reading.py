"""``workbench classify``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from workbench.cli.common import pictures, report
from workbench.core.errors import ImageError, WorkbenchError


def classify(
    source: Annotated[
        Path, typer.Argument(metavar="IN", help="A picture of a painting, or a folder of them.")
    ],
    model: Annotated[str | None, typer.Option(help="Classifier, as listed by `workbench models`.")] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON: an object, or for a folder a list.")
    ] = False,
    explain: Annotated[
        Path | None,
        typer.Option(metavar="OUT.png", help="Also write the painting with a heat map of where it looked."),
    ] = None,
    method: Annotated[
        str, typer.Option(help="grad_cam, guided_grad_cam, integrated_gradients or occlusion.")
    ] = "grad_cam",
    layer: Annotated[
        str | None, typer.Option(help="Stage that the Grad-CAMs look at, e.g. stage5; else the usual one.")
    ] = None,
    class_name: Annotated[
        str | None, typer.Option("--class", help="Class to explain; the likeliest if not given.")
    ] = None,
) -> None:
    """Read a painting's mood: the probability of each class, and with --explain where the model looked.

    Pictures that cannot be read are listed at the end, the others are still read, and the exit code is 1.
    """
    from tqdm import tqdm

    from workbench.classify import reading as reading
    from workbench.core.files import check_output, write_image
    from workbench.data.images import read_image
    from workbench.interpret.measured import reliance

    if explain is not None:
        check_output(explain)
    if explain is not None and source.is_dir():
        raise ImageError("Expected one picture for --explain but got a folder. Give one picture.")
    classifier = reading.Classifier.load(reading.DEFAULT_CLASSIFIER if model is None else model)

    def read(path: Path) -> dict:
        found = classifier.classify(read_image(path))
        return {
            "path": str(path),
            "model": found.model,
            "top": found.top,
            "calibrated": bool(found.calibrated),
            "probabilities": {name: float(value) for name, value in found.probabilities.items()},
        }

    if not source.is_dir():
        entry = read(source)
        if explain is not None:
            shown = classifier.explain(read_image(source), class_name or entry["top"], method, layer)
            write_image(shown.overlay, explain)
            usual = layer in (None, classifier.default_layer)
            entry["explanation"] = {
                "path": str(explain),
                "class": shown.class_name,
                "method": method,
                "layer": layer,
                "trust": reliance(classifier.card.sha256, method, usual),
            }
        typer.echo(json.dumps(entry, indent=2, ensure_ascii=False) if as_json else _reading_line(entry))
        if explain is not None and not as_json:
            typer.echo(f"{explain}: {shown.class_name}. {entry['explanation']['trust']}")
        return
    entries, failed = [], []
    for path in tqdm(pictures(source), desc=str(source), unit="picture", disable=None):
        try:
            entries.append(read(path))
        except (WorkbenchError, OSError) as error:
            failed.append(f"{path.relative_to(source)}: {error}")
            entries.append({"path": str(path), "error": str(error)})
    if as_json:
        typer.echo(json.dumps(entries, indent=2, ensure_ascii=False))
    else:
        for entry in entries:
            if "error" not in entry:
                typer.echo(_reading_line(entry))
    report(failed)


def _reading_line(entry: dict) -> str:
    ranked = sorted(entry["probabilities"].items(), key=lambda item: -item[1])
    return f"{entry['path']}: " + ", ".join(f"{name} {value:.1%}" for name, value in ranked)
