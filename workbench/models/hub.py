"""Trained networks as repositories of the Hugging Face Hub: written, pushed, and loaded again.

Such a repository is a folder of four files: the weights, their card as JSON, LICENSE, and a ``README.md``
made from the card, with the metadata that the Hub searches and shows. A folder on this computer is used in
the same way, without network.

    >>> import tempfile
    >>> folder = write_repository("fsgan_comic", tempfile.mkdtemp() + "/comic")
    >>> sorted(path.name for path in folder.iterdir())
    ['LICENSE', 'README.md', 'fsgan_comic.json', 'fsgan_comic.safetensors']
    >>> network, card = from_pretrained(folder)
    >>> card.title
    'Comic'

The package contacts no host by default: set ``HF_HUB_OFFLINE=0`` to load from the Hub.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench.core.cards import SHIPPED, Card, card, locate
from workbench.core.errors import WeightsError
from workbench.core.files import write_whole
from workbench.models.weights import check, load

if TYPE_CHECKING:
    from huggingface_hub import ModelCardData
    from torch import nn

LIBRARY = "painter-psychology-workbench"
_TASKS = {"stylizer": "image-to-image", "classifier": "image-classification"}
_OPEN = re.compile(r"(apache-2\.0|cc0-1\.0|cc-by-4\.0|cc-by-sa-4\.0|mit)\b", flags=re.I)  # names of the Hub
_METRICS = {"accuracy": "accuracy", "balanced_accuracy": "balanced accuracy", "macro_f1": "macro F1"}
_USE = {
    "stylizer": """wb.stylize(wb.read_image("photo.jpg"), hub.fetch("{place}")).save("drawing.png")""",
    "classifier": """print(wb.classify(wb.read_image("painting.jpg"), hub.fetch("{place}")).probabilities)""",
}


def metadata(info: Card) -> ModelCardData:
    """What the Hub searches and shows of a model: task, licence, tags, and a classifier's measurements."""
    from huggingface_hub import EvalResult, ModelCardData

    known = _OPEN.match(info.licence)
    licence: dict[str, Any] = {"license": known[1].lower() if known else "other"}
    if not known:
        name = re.sub(r"[^a-z0-9]+", "-", info.licence.partition(":")[0].lower()).strip("-")
        licence |= {"license_name": name, "license_link": "LICENSE"}
    measured = [
        EvalResult(
            task_type=_TASKS[info.kind],
            dataset_type="other",
            dataset_name=info.training.get("data", "held-out pictures"),
            metric_type=metric,
            metric_name=name,
            metric_value=info.metrics[metric]["estimate"],
        )
        for metric, name in _METRICS.items()
        if isinstance(info.metrics.get(metric), dict)
    ]
    return ModelCardData(
        model_name=info.name,
        library_name=LIBRARY,
        pipeline_tag=_TASKS[info.kind],
        tags=["pytorch", "safetensors", info.kind, info.architecture],
        eval_results=measured or None,
        **licence,
    )


def readme(info: Card, place: str = "USER/NAME") -> str:
    """The model's page on the Hub: its metadata, and its card in words.

    Args:
        info: the card.
        place: how the page names the repository in its example.
    """
    training = [(k, v) for k, v in info.training.items() if isinstance(v, str | int | float) and v != ""]
    parts = [
        f"---\n{metadata(info).to_yaml()}\n---",
        f"# {info.title}",
        info.description,
        "```python\nimport workbench as wb\nfrom workbench.models import hub\n\n"
        + _USE[info.kind].format(place=place)
        + f'\nnetwork, card = hub.from_pretrained("{place}")  # a torch.nn.Module\n```',
    ]
    if info.classes:
        names = "\n".join(
            f"- **{c['name']}** {c.get('name_zh', '')}: {c['description']}" for c in info.classes
        )
        parts.append(f"## Classes\n\n{names}")
    parts += [
        f"## Limitations\n\n{info.limitations}",
        f"## Licence\n\n{info.licence}.",
        f"## Measurements\n\n{_measurements(info)}",
        "## Training\n\n" + _rows([("what", "value"), *training]),
        f"The whole card, with every setting, is `{info.name}.json`. Weights of {info.date or 'no date'}, "
        f"commit {info.commit or 'unknown'}, sha256 {info.sha256}.",
    ]
    return "\n\n".join(parts) + "\n"


def _measurements(info: Card) -> str:
    """The card's metrics as a table, with the pictures that they were measured on."""
    split = f"On {info.metrics['split']}.\n\n" if info.metrics.get("split") else ""
    if rows := info.metrics.get("rows"):
        return split + _rows([tuple(rows[0]), *(tuple(row.values()) for row in rows)])
    body = [
        (name.replace("_", " "), value["estimate"], f"{value['low']} to {value['high']}")
        for name, value in info.metrics.items()
        if isinstance(value, dict) and {"estimate", "low", "high"} <= set(value)
    ]
    return split + _rows([("metric", "estimate", "95 % interval"), *body])


def _rows(rows: list[tuple]) -> str:
    """A Markdown table; the first row is its head."""
    cells = [[str(cell).replace("|", "\\|").replace("\n", " ") for cell in row] for row in rows]
    cells.insert(1, ["---"] * len(rows[0]))
    return "\n".join(f"| {' | '.join(row)} |" for row in cells)


def write_repository(model: str | os.PathLike, out: str | os.PathLike, place: str = "USER/NAME") -> Path:
    """Write a model as a repository of the Hub, for ``hf upload USER/NAME OUT``.

    Args:
        model: name of a shipped model, or a ``.safetensors`` file with its card beside it.
        out: a new or empty folder.
        place: how the page names the repository in its example.

    Returns:
        The folder.

    Raises:
        UnknownNameError: no such model.
        WeightsError: ``out`` is in use, or weights and card do not belong together.
    """
    info, folder = check(model), Path(out)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise WeightsError(f"Expected a new or empty folder but {folder} is in use. Give another.")
    folder.mkdir(parents=True, exist_ok=True)
    source = locate(model, SHIPPED)
    for path in (source, source.with_suffix(".json")):
        shutil.copyfile(path, folder / f"{info.name}{path.suffix}")
    write_whole(f"The weights {info.name}: {info.licence}.\n".encode(), folder / "LICENSE")
    write_whole(readme(info, place).encode(), folder / "README.md")
    return folder


def fetch(place: str | os.PathLike, revision: str | None = None) -> Path:
    """The weights of a repository, with their card beside them.

    Args:
        place: a folder as :func:`write_repository` writes it, or a repository of the Hub, ``USER/NAME``.
        revision: branch, tag or commit of a repository of the Hub.

    Returns:
        Path of the ``.safetensors`` file, accepted wherever a model's name is.

    Raises:
        WeightsError: the repository is unreachable, or holds not exactly one model with its card.
    """
    folder = Path(place)
    if not folder.is_dir():
        folder = _downloaded(str(place), revision)
    weights = [path for path in folder.glob("*.safetensors") if path.with_suffix(".json").is_file()]
    if len(weights) != 1:
        raise WeightsError(
            f"Expected one model, NAME.safetensors with its card NAME.json, in {place} but found "
            f"{len(weights)}. Write it with `workbench export MODEL FOLDER --format hub`."
        )
    card(weights[0])
    return weights[0]


def _downloaded(place: str, revision: str | None) -> Path:
    from huggingface_hub import snapshot_download

    try:
        return Path(
            snapshot_download(place, revision=revision, allow_patterns=["*.safetensors", "*.json", "LICENSE"])
        )
    except (OSError, ValueError) as error:  # the Hub's own errors are both
        raise WeightsError(
            f"Expected a folder or a repository of the Hub, USER/NAME, but {place!r} is unreachable "
            f"({type(error).__name__}). The workbench contacts no host by default: set HF_HUB_OFFLINE=0 to "
            "allow it."
        ) from error


def from_pretrained(place: str | os.PathLike, revision: str | None = None) -> tuple[nn.Module, Card]:
    """The network of a repository in eval mode with float32 weights, and its card; see :func:`fetch`."""
    return load(fetch(place, revision))


def push_to_hub(model: str | os.PathLike, repository: str, private: bool = True) -> str:
    """Write a model's repository and upload it; needs a login (``hf auth login``) and ``HF_HUB_OFFLINE=0``.

    Args:
        model: name of a shipped model, or a ``.safetensors`` file with its card beside it.
        repository: ``USER/NAME``; made if it is not there.
        private: whether a new repository is private.

    Returns:
        Address of the commit.

    Raises:
        WeightsError: the Hub cannot be reached or refuses.
    """
    from huggingface_hub import HfApi

    with tempfile.TemporaryDirectory() as temporary:
        folder = write_repository(model, Path(temporary) / "repository", repository)
        api = HfApi()
        try:
            api.create_repo(repository, private=private, exist_ok=True)
            return str(api.upload_folder(repo_id=repository, folder_path=folder))
        except (OSError, ValueError) as error:
            raise WeightsError(
                f"Could not push {model} to {repository!r} ({type(error).__name__}: {error}). Log in with "
                "`hf auth login`, and set HF_HUB_OFFLINE=0: the workbench contacts no host by default."
            ) from error
