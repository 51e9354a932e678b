"""``workbench``: the app's jobs from a terminal.

What a command needs is imported when it runs, so that help is instant.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import sys
import warnings
from collections import Counter
from pathlib import Path
from typing import Annotated, Literal

import typer

from workbench import __version__
from workbench.errors import ImageError, WorkbenchError

app = typer.Typer(
    help="What a painter's hand says about mood, and the world redrawn in that hand.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
train = typer.Typer(help="Fit a stylizer or a classifier to your own pictures.", no_args_is_help=True)
bench = typer.Typer(help="Measure what networks cost on this machine.", no_args_is_help=True)
app.add_typer(train, name="train")
app.add_typer(bench, name="bench")
data_app = typer.Typer(help="Make and check data sets.", no_args_is_help=True)
app.add_typer(data_app, name="data")

users = typer.Typer(help="Accounts of the served page.", no_args_is_help=True)
app.add_typer(users, name="users")


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"workbench {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version and leave."),
    ] = False,
) -> None:
    pass


@app.command()
def stylize(
    source: Annotated[Path, typer.Argument(metavar="IN", help="A picture, or a folder of them.")],
    target: Annotated[Path, typer.Argument(metavar="OUT", help="Where to write: a file, or a folder.")],
    style: Annotated[str | None, typer.Option(help="Style name, or a .safetensors file of your own.")] = None,
    strength: Annotated[float, typer.Option(help="0 is the photo, 1 the drawing.")] = 1.0,
) -> None:
    """Redraw a picture, or every picture in a folder (written as PNG under the same relative paths).

    Pictures that cannot be read are listed at the end, the others are still drawn, and the exit code is 1.
    """
    from tqdm import tqdm

    from workbench.data.images import read_image
    from workbench.data.writing import write_image
    from workbench.inference import stylize as stylizer

    name = stylizer.DEFAULT_STYLE if style is None else style

    def draw(one: Path, out: Path, progress=None) -> None:
        write_image(stylizer.stylize(read_image(one), name, strength, progress), out)

    if not source.is_dir():
        out = _target_file(source, target)
        with tqdm(total=100, desc=source.name, unit="%", disable=None, leave=False) as bar:
            draw(source, out, lambda share: bar.update(round(100 * share) - bar.n))
        typer.echo(str(out))
        return

    pairs = _target_files(source, target)
    _check_style(name, strength)
    failed = []
    for one, out in tqdm(pairs, desc=str(source), unit="picture", disable=None):
        try:
            draw(one, out)
        except (WorkbenchError, OSError) as error:
            failed.append(f"{one.relative_to(source)}: {error}")
    typer.echo(f"{len(pairs) - len(failed)} of {len(pairs)} pictures written to {target}")
    _report(failed)


@app.command()
def video(
    source: Annotated[Path, typer.Argument(metavar="IN", help="A video: MP4, MOV, MKV, WebM, AVI, GIF …")],
    target: Annotated[Path, typer.Argument(metavar="OUT", help="A file ending in .mp4, or a folder.")],
    style: Annotated[str | None, typer.Option(help="Style name, or a .safetensors file of your own.")] = None,
    strength: Annotated[float, typer.Option(help="0 is the video as it is, 1 the drawing.")] = 1.0,
    scale: Annotated[float, typer.Option(help="Of the sides; 0.5 draws a quarter of the pixels.")] = 1.0,
    runtime: Annotated[str, typer.Option(help="torch, or onnx (needs the extra `export`).")] = "torch",
    temporal: Annotated[
        float, typer.Option(help="Against flicker: share of the last frame carried along, below 1.")
    ] = 0.0,
) -> None:
    """Redraw a video as an MP4 that browsers play, with its sound; whole, or not at all."""
    from tqdm import tqdm

    from workbench.inference.stylize import DEFAULT_STYLE
    from workbench.inference.video import Progress, stylize_video

    if target.is_dir():
        target = target / f"{source.stem}.mp4"
    with tqdm(desc=source.name, unit="frame", disable=None, leave=False) as bar:

        def show(progress: Progress) -> None:
            bar.total = progress.total
            bar.update(progress.done - bar.n)

        chosen = {"strength": strength, "scale": scale, "runtime": runtime, "temporal": temporal}
        done = stylize_video(source, target, style or DEFAULT_STYLE, progress=show, **chosen)
    typer.echo(f"{done.path} ({done.frames} frames, {done.seconds:.1f} s, sound: {done.audio})")
    if done.damaged:
        typer.echo(f"{done.damaged} damaged packets of {source} are left out", err=True)


@app.command()
def classify(
    source: Annotated[
        Path, typer.Argument(metavar="IN", help="A picture of a painting, or a folder of them.")
    ],
    model: Annotated[str | None, typer.Option(help="Classifier, as listed by `workbench models`.")] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON: an object, or for a folder a list.")
    ] = False,
) -> None:
    """Read a painting's mood: the probability of each class.

    Pictures that cannot be read are listed at the end, the others are still read, and the exit code is 1.
    """
    from tqdm import tqdm

    from workbench.data.images import read_image
    from workbench.inference import classify as reading

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
        typer.echo(json.dumps(entry, indent=2, ensure_ascii=False) if as_json else _reading_line(entry))
        return
    entries, failed = [], []
    for path in tqdm(_pictures(source), desc=str(source), unit="picture", disable=None):
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
    _report(failed)


@app.command()
def models(
    as_json: Annotated[bool, typer.Option("--json", help="Print the whole cards as JSON.")] = False,
    architectures: Annotated[
        bool, typer.Option("--architectures", help="List what can be trained instead.")
    ] = False,
) -> None:
    """List the models that come with the workbench, from their cards."""
    from workbench.models import registry, weights

    if architectures:
        rows = [(name, kind) for kind in registry.KINDS for name in registry.names(kind)]
        typer.echo(_table([("architecture", "kind"), *rows]))
        return
    names = weights.trained(folder=weights.SHIPPED)
    cards = [weights.card(name, weights.SHIPPED) for name in names]
    sizes = [(weights.SHIPPED / f"{name}.safetensors").stat().st_size for name in names]
    if as_json:
        rows = [dataclasses.asdict(card) | {"bytes": size} for card, size in zip(cards, sizes, strict=True)]
        typer.echo(json.dumps(rows, indent=2, ensure_ascii=False))
        return
    rows = [("name", "kind", "title", "size", "licence")]
    for card, size in zip(cards, sizes, strict=True):
        rows.append((card.name, card.kind, card.title, f"{size / 1e6:.2f} MB", card.licence))
    typer.echo(_table(rows))


@app.command()
def export(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="Model name, or your own .safetensors file.")],
    target: Annotated[Path, typer.Argument(metavar="OUT", help="A file (.onnx or .pt) or a folder.")],
    format: Annotated[str, typer.Option(help="onnx (.onnx) or torchscript (.pt).")] = "onnx",
) -> None:
    """Write a network, with its card inside, as one file for other runtimes.

    The file is compared with the network on photographs first, and not written if they disagree. ONNX needs
    the packages of the extra `export`.
    """
    from workbench.inference.export import export as write

    done = write(model, target, format)
    typer.echo(f"{done.path} (differs from the network by {done.difference:.1g} at most)")


@train.command("stylizer")
def train_stylizer(
    photos: Annotated[Path, typer.Option(help="Folder of photos: what shall be redrawn.")],
    style: Annotated[Path, typer.Option(help="Folder of pictures in the style, 50 or more.")],
    out: Annotated[Path, typer.Option(help="Folder for checkpoints, logs and the weights; resumed if used.")],
    name: Annotated[str, typer.Option(help="Name of the weights.")] = "my_style",
    steps: Annotated[int, typer.Option(min=2, help="Steps of both phases together.")] = 5000,
    distil_steps: Annotated[int, typer.Option(min=1, help="Steps of the first phase.")] = 2000,
    minutes: Annotated[float, typer.Option(min=0, help="Time budget; 0 has none.")] = 0,
    batch: Annotated[int, typer.Option(min=1, help="Crops a step.")] = 8,
    crop: Annotated[int, typer.Option(min=160, help="Side of the crops in pixels.")] = 192,
    validate_every: Annotated[int, typer.Option(min=1, help="Steps between validations.")] = 250,
    seed: Annotated[int, typer.Option(help="Of the split, the batches and the first weights.")] = 0,
    mixed_precision: Annotated[
        Literal["no", "bf16"], typer.Option(help="bf16 is faster where the processor has it.")
    ] = "no",
    threads: Annotated[int, typer.Option(min=0, help="CPU threads; 0 takes PyTorch's default.")] = 0,
    keep: Annotated[
        Literal["best", "last"], typer.Option(help="Weights to keep: best (by KID) or last.")
    ] = "best",
    title: Annotated[str | None, typer.Option(help="One line for menus.")] = None,
    description: Annotated[str | None, typer.Option(help="A paragraph for the card.")] = None,
    photo_source: Annotated[str | None, typer.Option(help="What the photos are, and their licence.")] = None,
    style_source: Annotated[str | None, typer.Option(help="What the style is, and its licence.")] = None,
    licence: Annotated[str | None, typer.Option(help="Licence of the weights.")] = None,
) -> None:
    """Train a style of your own from a folder of photos and a folder of pictures in the style.

    Stopped or out of time, it goes on where it was when called again. The weights that come closest to the
    style on held-out photos are written with their card; use them as --style OUT/NAME.safetensors.
    """
    import logging

    from workbench.training.publish import Publication, publish
    from workbench.training.stylizer import StylizerTrainer
    from workbench.training.stylizer_config import StylizerConfig

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    config = StylizerConfig(
        photos=str(photos),
        style=str(style),
        out=str(out),
        steps=steps,
        distil_steps=distil_steps,
        minutes=minutes,
        batch=batch,
        crop=crop,
        validate_every=validate_every,
        seed=seed,
        mixed_precision=mixed_precision,
        threads=threads,
    )
    said = {"title": title, "description": description, "licence": licence}
    said |= {"photo_source": photo_source, "style_source": style_source}
    publication = Publication(name=name, **{k: v for k, v in said.items() if v is not None})
    StylizerTrainer(config).run()
    command = "workbench train stylizer --photos PHOTOS --style STYLE --out OUT " + (
        f"--name {name} --steps {steps} --distil-steps {distil_steps} --batch {batch} --crop {crop} "
        f"--seed {seed} --mixed-precision {mixed_precision}"
    )
    typer.echo(str(publish(out, publication, command, keep)))


@train.command("classifier")
def train_classifier(
    data: Annotated[Path, typer.Option(help="Folder of paintings: one sub-folder a class, or with a table.")],
    out: Annotated[Path, typer.Option(help="Folder for the weights, the tables and checkpoints; resumed.")],
    ratings: Annotated[
        Path | None,
        typer.Option(help="CSV: path, label, painter, votes_CLASS …; ratings.csv in DATA if there."),
    ] = None,
    model: Annotated[
        str, typer.Option(help="Architecture: `workbench models --architectures` names them.")
    ] = "lite0_classifier",
    name: Annotated[str, typer.Option(help="Name of the weights.")] = "my_classifier",
    epochs: Annotated[int | None, typer.Option(min=1, help="Passes over the pictures.")] = None,
    folds: Annotated[int, typer.Option(min=2, help="Of the cross-validation; painters stay together.")] = 5,
    split_seed: Annotated[
        list[int] | None, typer.Option(help="Cross-validate with this shuffle; may be given several times.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the views, the batches and dropout.")] = 0,
    transfer: Annotated[
        Literal["frozen", "partial", "full"] | None, typer.Option(help="Which layers of MODEL are trained.")
    ] = None,
    pretrained: Annotated[bool | None, typer.Option(help="Start from ImageNet weights.")] = None,
    augmentation: Annotated[str | None, typer.Option(help="none, flip, crop, brush, strong …")] = None,
    patience: Annotated[
        int | None, typer.Option(min=0, help="Epochs without progress before stopping early; 0 is never.")
    ] = None,
    setting: Annotated[
        list[str] | None,
        typer.Option(
            "--set", help="Any other setting, KEY=VALUE in JSON, e.g. 'arguments={\"aggregated\": 3}'."
        ),
    ] = None,
    group_by: Annotated[
        str | None,
        typer.Option(
            help="Column whose pictures stay together, or near-duplicates to find them by likeness."
        ),
    ] = None,
    skip_unreadable: Annotated[bool, typer.Option(help="Leave out files that cannot be read.")] = False,
    threads: Annotated[int, typer.Option(min=0, help="CPU threads; 0 takes PyTorch's default.")] = 0,
    title: Annotated[str | None, typer.Option(help="One line for menus.")] = None,
    description: Annotated[str | None, typer.Option(help="A paragraph for the card.")] = None,
    data_source: Annotated[str | None, typer.Option(help="What the paintings are, for the card.")] = None,
    data_licence: Annotated[str, typer.Option(help="Licence of the paintings.")] = "unstated",
    licence: Annotated[str | None, typer.Option(help="Licence of the weights.")] = None,
    limitations: Annotated[str | None, typer.Option(help="What the model must not be used for.")] = None,
) -> None:
    """Train a classifier of your own on labelled paintings, cross-validated with painters kept apart.

    Writes the weights with their card, the scores of every fold, a summary with intervals and a linear
    baseline, and the out-of-fold predictions. ``workbench classify IN --model OUT/NAME.safetensors`` uses it.
    """
    import logging

    import torch

    from workbench.training.recipes import config_for
    from workbench.training.train_classifier import main as fit

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    if threads:
        torch.set_num_threads(threads)
    named = {
        "epochs": epochs,
        "transfer": transfer,
        "pretrained": pretrained,
        "augmentation": augmentation,
        "patience": patience,
        "seed": seed or None,
    }
    given = {k: v for k, v in named.items() if v is not None} | _settings(setting or [])
    config = config_for(model, {"folds": folds, "split_seeds": tuple(split_seed or [seed]), **given})
    said = {"title": title, "description": description, "licence": licence, "limitations": limitations}
    said = {k: v for k, v in said.items() if v is not None} | {"data_licence": data_licence}
    said |= {"group_by": group_by, "skip_unreadable": skip_unreadable}
    typer.echo(str(fit(data, out, ratings, name=name, config=config, data_name=data_source, **said)))


@data_app.command("atelier")
def data_atelier(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="A folder that is not there yet, or is empty.")],
    n: Annotated[int, typer.Option("--n", help="Pictures, as many of each mood.")] = 500,
    seed: Annotated[int, typer.Option(help="Of the whole set: the same seed gives the same pictures.")] = 0,
    size: Annotated[int, typer.Option(help="Side in pixels.")] = 256,
    painters: Annotated[int, typer.Option(help="Hands among whom the pictures are dealt.")] = 24,
    seal_cue: Annotated[
        float, typer.Option(help="Probability that the seal tells the mood; 0.2 is chance, no cue.")
    ] = 0.2,
    confound: Annotated[
        Literal["painter", "paper"] | None, typer.Option(help="Let painters or papers go with moods.")
    ] = None,
    strength: Annotated[float, typer.Option(help="Probability that a picture follows the confound.")] = 0.8,
) -> None:
    """Paint a labelled set of ink pictures whose moods, factors and mood regions are known.

    The folder holds one sub-folder a mood, ratings.csv (painters, votes, factors) and the masks, and can be
    given wherever a folder of paintings is asked for.
    """
    from workbench.data.atelier import write_atelier

    options = {"seal_cue": seal_cue, "confound": confound, "strength": strength}
    typer.echo(str(write_atelier(out, n, seed, size, painters, **options)))


@data_app.command("check")
def data_check(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="One sub-folder a class, or with a table.")],
    ratings: Annotated[
        Path | None,
        typer.Option(help="CSV: path, label, painter, votes_CLASS …; ratings.csv in DIR if there."),
    ] = None,
    near_duplicates: Annotated[
        bool, typer.Option(help="Also compare every two pictures by features, about 0.15 s a picture.")
    ] = True,
    as_json: Annotated[bool, typer.Option("--json", help="Print the whole card as JSON.")] = False,
) -> None:
    """Check a folder of labelled paintings before training on it.

    Finds unreadable files, duplicates and near-duplicates (also across classes and groups), classes and
    groups too small, and long scrolls. The exit code is 1 if something would spoil a training.
    """
    from workbench.data.check import check_dataset, summary

    card = check_dataset(folder, ratings, near_duplicates=near_duplicates, progress=True)
    typer.echo(json.dumps(card.to_dict(), indent=2, ensure_ascii=False) if as_json else summary(card))
    if not card.ok:
        raise typer.Exit(1)


_Data = Annotated[
    Path | None, typer.Option(help="Folder of accounts, jobs and results; a folder of your own by default.")
]


@app.command()
def serve(
    data: _Data = None,
    host: Annotated[str, typer.Option(help="Address to listen on; 0.0.0.0 lets other computers in.")] = "",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to listen on.")] = 7860,
    workers: Annotated[int, typer.Option(min=1, help="Jobs at a time.")] = 1,
    accounts: Annotated[bool, typer.Option("--accounts", help="Only people with an account may in.")] = False,
    database: Annotated[
        str | None, typer.Option(help="URL of another database than the folder's own SQLite file.")
    ] = None,
) -> None:
    """Serve the page to many people: jobs that survive a crash, accounts, each person's work their own."""
    import signal

    from workbench.service.platform import Platform, default_folder
    from workbench.ui import DEFAULT_HOST, launch

    signal.signal(signal.SIGTERM, signal.default_int_handler)  # `kill` stops it as tidily as Ctrl-C
    where = data or default_folder()
    with Platform(where, workers=workers, database=database, accounts=accounts) as platform:
        if accounts and not platform.accounts.list():
            raise WorkbenchError(f"There is no account yet. Run: workbench users add NAME --data {where}")
        try:
            page = launch(host or DEFAULT_HOST, port, platform=platform)
        except OSError as error:
            raise WorkbenchError(f"Cannot listen on {host or DEFAULT_HOST}:{port} ({error}).") from error
        typer.echo(f"Painter Psychology Workbench: {page.local_url} (Ctrl-C stops it)")
        page.block_thread()


@users.command("add")
def users_add(name: Annotated[str, typer.Argument()], data: _Data = None) -> None:
    """Make an account; the password is asked for, or read from a pipe."""
    with _accounts(data) as accounts:
        typer.echo(f"{accounts.add(name, _password()).name} added")


@users.command("passwd")
def users_passwd(name: Annotated[str, typer.Argument()], data: _Data = None) -> None:
    """Give an account a new password; every session of it ends."""
    with _accounts(data) as accounts:
        accounts.set_password(name, _password())
        typer.echo(f"{name} has a new password")


@users.command("remove")
def users_remove(name: Annotated[str, typer.Argument()], data: _Data = None) -> None:
    """Remove an account; its jobs and files go at the server's next start or housekeeping."""
    with _accounts(data) as accounts:
        accounts.remove(name)
        typer.echo(f"{name} removed")


@users.command("list")
def users_list(data: _Data = None) -> None:
    """List the accounts."""
    import datetime

    rows = [("name", "since")]
    with _accounts(data) as accounts:
        for account in accounts.list():
            since = datetime.datetime.fromtimestamp(account.created, datetime.UTC)
            rows.append((account.name, since.date().isoformat()))
    typer.echo(_table(rows))


@contextlib.contextmanager
def _accounts(data: Path | None):
    """The accounts of a data folder, whether its server runs or not."""
    from workbench.service.accounts import Accounts
    from workbench.service.database import Database
    from workbench.service.platform import DATABASE, default_folder
    from workbench.service.storage import Store

    database = Database(Store(data or default_folder()).root / DATABASE)
    try:
        yield Accounts(database)
    finally:
        database.close()


def _password() -> str:
    """Typed twice without an echo at a terminal; else the first line of the input."""
    if sys.stdin.isatty():
        return typer.prompt("Password", hide_input=True, confirmation_prompt=True)
    return sys.stdin.readline().rstrip("\r\n")


@bench.command("platform")
def bench_platform(
    out: Annotated[Path, typer.Option(help="CSV to write; runs that are in it are not made again.")] = Path(
        "runs/platform.csv"
    ),
    workers: Annotated[int, typer.Option(min=1, help="Jobs at a time.")] = 2,
    jobs: Annotated[int, typer.Option(min=20, help="Jobs that are submitted at once.")] = 200,
) -> None:
    """Measure the job platform: throughput, what it adds to a picture's time, memory, recovery."""
    from workbench.service.loadtest import measure

    typer.echo(str(measure(out, "local", workers, jobs)))


@bench.command("stylizers")
def bench_stylizers(
    output: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Also write the table as JSON.")
    ] = None,
    threads: Annotated[int, typer.Option(min=1, help="CPU threads of the networks.")] = 2,
    rounds: Annotated[int, typer.Option(min=1, help="Timed rounds; the median is shown.")] = 5,
) -> None:
    """Compare this project's generators with published ones: parameters, GMACs, latency, memory, ratio."""
    from workbench.bench import bench_stylizers as measure
    from workbench.bench import table
    from workbench.data.writing import write_whole

    result = measure(threads=threads, rounds=rounds)
    typer.echo(_table(table(result)))
    typer.echo(result["notes"])
    if output is not None:
        write_whole((json.dumps(result, indent=2) + "\n").encode(), output)


def _pictures(folder: Path) -> list[Path]:
    from workbench.data.images import list_images

    found = list_images(folder)
    if not found:
        raise ImageError(f"Expected pictures in {folder} but found none. Check the path.")
    return found


def _check_style(name: str, strength: float) -> None:
    """Fail once, before a folder is read, on a style or strength that no picture can be drawn with."""
    from PIL import Image

    from workbench.inference.stylize import stylize

    stylize(Image.new("RGB", (1, 1)), name, strength)


def _target_file(source: Path, target: Path) -> Path:
    """Output file for one picture; refuses the picture itself and formats that cannot be written."""
    from workbench.data.writing import check_output

    if target.is_dir():
        target = target / f"{source.stem}.png"
    check_output(target)
    if target.exists() and source.exists() and target.samefile(source):
        raise WorkbenchError(
            f"{target} is the input picture itself, which is never overwritten. Give another output."
        )
    return target


def _target_files(source: Path, target: Path) -> list[tuple[Path, Path]]:
    """(picture, output) for every picture of a folder; what lies in ``target``, if inside it, is left out."""
    if target.exists() and not target.is_dir():
        raise WorkbenchError(
            f"Expected a folder to write to, as the input is one, but {target} is a file. Give a folder."
        )
    if source.resolve() == target.resolve():
        raise WorkbenchError(
            f"{target} is the input folder itself, which is left as it is. Give another folder."
        )
    found = _pictures(source)
    if source.resolve() in target.resolve().parents:
        found = [path for path in found if target.resolve() not in path.resolve().parents]
    if not found:
        raise ImageError(
            f"Expected pictures in {source}, outside of {target}, but found none. Check the paths."
        )
    relative = [path.relative_to(source) for path in found]
    short = [path.with_suffix(".png") for path in relative]
    full = [path.with_name(path.name + ".png") for path in relative]
    count = Counter(short)
    names = [brief if count[brief] == 1 else long for brief, long in zip(short, full, strict=True)]
    outputs = [target / name for name in (names if len(set(names)) == len(names) else full)]
    taken = {path.resolve() for path in found}.intersection(path.resolve() for path in outputs)
    if taken:
        raise WorkbenchError(
            f"{min(taken)} is both an input and an output; inputs are never overwritten. Give another folder."
        )
    return list(zip(found, outputs, strict=True))


def _settings(pairs: list[str]) -> dict:
    """KEY=VALUE pairs with values in JSON; a value that is none is taken as text."""
    found = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key.isidentifier():
            raise WorkbenchError(f"Expected KEY=VALUE after --set but got {pair!r}.")
        try:
            found[key] = json.loads(value)
        except json.JSONDecodeError:
            found[key] = value
    return found


def _report(failed: list[str]) -> None:
    if failed:
        typer.echo(f"{len(failed)} not done:", err=True)
        for line in failed:
            typer.echo(f"  {line}", err=True)
        raise typer.Exit(1)


def _reading_line(entry: dict) -> str:
    ranked = sorted(entry["probabilities"].items(), key=lambda item: -item[1])
    return f"{entry['path']}: " + ", ".join(f"{name} {value:.1%}" for name, value in ranked)


def _table(rows: list[tuple[str, ...]]) -> str:
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]
    return "\n".join([lines[0], "  ".join("─" * width for width in widths), *lines[1:]])


def main(arguments: list[str] | None = None) -> None:
    """Entry point: an error that the user can mend is one line on stderr and exit code 2."""
    # Pillow warns of damaged metadata; what matters is raised as ImageError
    warnings.filterwarnings("ignore", module=r"PIL\.")
    try:
        app(arguments)
    except WorkbenchError as error:
        typer.echo(f"error: {error}", err=True)
        sys.exit(2)


if __name__ == "__main__":
    main()
