"""``workbench classify``."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from workbench.cli.common import Device, pictures, report
from workbench.core.errors import ImageError, WorkbenchError

if TYPE_CHECKING:
    from PIL import Image

    from workbench.classify.classifier import Classifier, Reading

_BATCH = 8  # pictures per batch


def classify(
    source: Annotated[
        Path, typer.Argument(metavar="IN", help="A picture of a painting, or a folder of them.")
    ],
    model: Annotated[str | None, typer.Option(help="Classifier, as listed by `workbench models`.")] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON: an object, or for a folder a list.")
    ] = False,
    csv_file: Annotated[
        Path | None, typer.Option("--csv", metavar="OUT.csv", help="Also write a table, one row per picture.")
    ] = None,
    explain: Annotated[
        Path | None, typer.Option(metavar="OUT.png", help="Also write the painting with a heat map.")
    ] = None,
    method: Annotated[
        str, typer.Option(help="grad_cam, guided_grad_cam, integrated_gradients or occlusion.")
    ] = "grad_cam",
    layer: Annotated[
        str | None,
        typer.Option(help="Stage for the Grad-CAM methods, e.g. stage5; by default the usual one."),
    ] = None,
    class_name: Annotated[
        str | None, typer.Option("--class", help="Class to explain; by default the most probable.")
    ] = None,
    device: Device = None,
) -> None:
    """Classify the mood of a painting: the probability of each class and, with --explain, a heat map.

    Pictures that cannot be read are skipped and listed at the end, and the exit code is then 1.
    """
    from workbench.classify.classifier import Classifier
    from workbench.classify.results import DEFAULT_CLASSIFIER
    from workbench.core.files import check_output
    from workbench.data.images import read_image

    if explain is not None:
        check_output(explain)
    if explain is not None and source.is_dir():
        raise ImageError("Expected one picture for --explain but got a folder. Give one picture.")
    classifier = Classifier.load(DEFAULT_CLASSIFIER if model is None else model, device)
    if source.is_dir():
        entries, failed = _read_folder(classifier, source)
        _write_table(entries, csv_file)
        if as_json:
            typer.echo(json.dumps(entries, indent=2, ensure_ascii=False))
        else:
            typer.echo("\n".join(_reading_line(entry) for entry in entries if "error" not in entry))
        return report(failed)
    picture = read_image(source)
    entry = _entry(source, classifier.classify(picture))
    _write_table([entry], csv_file)
    if explain is not None:
        shown = {"class": class_name or entry["top"], "method": method, "layer": layer}
        entry["explanation"] = _explain(classifier, picture, explain, shown)
    typer.echo(json.dumps(entry, indent=2, ensure_ascii=False) if as_json else _reading_line(entry))
    if explain is not None and not as_json:
        typer.echo(f"{explain}: {entry['explanation']['class']}. {entry['explanation']['trust']}")
    return None


def _read_folder(classifier: Classifier, folder: Path) -> tuple[list[dict], list[str]]:
    """One entry per readable picture of a folder, and one line per unreadable one."""
    from tqdm import tqdm

    from workbench.core.devices import in_batches
    from workbench.data.images import read_image

    def read(paths: Sequence[Path]) -> list[dict]:
        images, entries = [], {}
        for path in paths:
            try:
                images.append((path, read_image(path)))
            except (WorkbenchError, OSError) as error:
                entries[path] = {"path": str(path), "error": str(error)}
        readings = classifier.classify_all([image for _, image in images]) if images else []
        entries |= {path: _entry(path, one) for (path, _), one in zip(images, readings, strict=True)}
        return [entries[path] for path in paths]

    paths = pictures(folder)
    with tqdm(total=len(paths), desc=str(folder), unit="picture", disable=None) as bar:
        entries = in_batches(read, paths, _BATCH, lambda done: bar.update(done - bar.n))
    lines = zip(paths, entries, strict=True)
    return entries, [f"{p.relative_to(folder)}: {e['error']}" for p, e in lines if "error" in e]


def _entry(path: Path, reading: Reading) -> dict:
    return {"path": str(path), **reading.as_dict()}


def _write_table(entries: list[dict], path: Path | None) -> None:
    """Path, model, top, a column per class, calibrated, novelty, unlike, unsure; error if unreadable."""
    from workbench.core.runs import write_rows

    if path is not None:
        rows = [{k: v for k, v in entry.items() if k != "classes"} for entry in entries]
        write_rows(({**row, **_columns(row.pop("probabilities", {}))} for row in rows), path)


def _columns(probabilities: dict[str, float]) -> dict[str, float]:
    return {f"p_{name}": value for name, value in probabilities.items()}


def _explain(classifier: Classifier, picture: Image.Image, target: Path, chosen: dict) -> dict:
    """Write the heat map for ``chosen`` (class, method, layer); return its description."""
    from workbench.core.files import write_image
    from workbench.interpret.measured import reliance

    shown = classifier.explain(picture, chosen["class"], chosen["method"], chosen["layer"])
    write_image(shown.overlay, target)
    usual = chosen["layer"] in (None, classifier.default_layer)
    trust = reliance(classifier.card.network_digest, chosen["method"], usual)
    return {"path": str(target), **chosen, "class": shown.class_name, "trust": trust}


def _reading_line(entry: dict) -> str:
    ranked = sorted(entry["probabilities"].items(), key=lambda item: -item[1])
    line = f"{entry['path']}: " + ", ".join(f"{name} {value:.1%}" for name, value in ranked)
    if entry["unlike"]:
        return line + ". Unlike the training pictures of the model: do not rely on it"
    return line + (". The model is unsure" * entry["unsure"])
