"""``workbench train portraits``: a portrait style from annotated portraits and anime faces."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer


def train_portraits(
    portraits: Annotated[Path, typer.Option(help="Folder of portraits on plain backdrops.")],
    annotations: Annotated[Path, typer.Option(help="Their landmarks and masks (.npz).")],
    scenes: Annotated[Path, typer.Option(help="Folder of photos that become backgrounds.")],
    style: Annotated[Path, typer.Option(help="Folder of anime faces, 50 or more.")],
    out: Annotated[Path, typer.Option(help="Folder for checkpoints, logs and the weights; resumed if used.")],
    name: Annotated[str, typer.Option(help="Name of the weights.")] = "my_portrait",
    start: Annotated[
        str, typer.Option(help="Weights to begin from: a model's name, a .safetensors file or a .pt.")
    ] = "",
    steps: Annotated[int, typer.Option(min=1, help="Steps of both phases together.")] = 6000,
    distil_steps: Annotated[int, typer.Option(min=0, help="Steps of the first phase.")] = 5000,
    minutes: Annotated[float, typer.Option(min=0, help="Time budget; 0 has none.")] = 0,
    batch: Annotated[int, typer.Option(min=2, help="Crops a step.")] = 8,
    crop: Annotated[int, typer.Option(min=64, help="Side of the crops in pixels.")] = 152,
    validate_every: Annotated[int, typer.Option(min=1, help="Steps between validations.")] = 500,
    seed: Annotated[int, typer.Option(help="Of the split, the batches and the first weights.")] = 0,
    mixed_precision: Annotated[
        Literal["no", "bf16"], typer.Option(help="bf16 is faster where the processor has it.")
    ] = "no",
    threads: Annotated[int, typer.Option(min=0, help="CPU threads; 0 takes PyTorch's default.")] = 0,
    keep: Annotated[
        str, typer.Option(help="best.pt (by KID) or one of the step_*.pt of the folder.")
    ] = "best.pt",
    title: Annotated[str | None, typer.Option(help="One line for menus.")] = None,
    description: Annotated[str | None, typer.Option(help="A paragraph for the card.")] = None,
    portrait_source: Annotated[
        str | None, typer.Option(help="What the portraits are, and their licence.")
    ] = None,
    scene_source: Annotated[str | None, typer.Option(help="What the scenes are, and their licence.")] = None,
    style_source: Annotated[
        str | None, typer.Option(help="What the anime faces are, and their licence.")
    ] = None,
    recipe: Annotated[str | None, typer.Option(help="How it was trained, for the card.")] = None,
    licence: Annotated[str | None, typer.Option(help="Licence of the weights.")] = None,
) -> None:
    """Train a portrait style: people become anime, what surrounds them stays.

    A teacher draws each portrait by its landmarks, the network learns that and then goes adversarial against
    the anime faces. Stopped or out of time, it goes on where it was when called again. Weights and card are
    measured on people that were held out; use them as --style OUT/NAME.safetensors.
    """
    import logging

    from workbench.training.portrait_config import PortraitConfig
    from workbench.training.portrait_publish import PortraitPublication, publish
    from workbench.training.portraits import PortraitTrainer

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    config = PortraitConfig(
        portraits=str(portraits),
        annotations=str(annotations),
        scenes=str(scenes),
        style=str(style),
        out=str(out),
        start=start,
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
    said = {"title": title, "description": description, "recipe": recipe, "licence": licence}
    said |= {
        "portrait_source": portrait_source,
        "scene_source": scene_source,
        "style_source": style_source,
    }
    publication = PortraitPublication(name=name, **{k: v for k, v in said.items() if v is not None})
    PortraitTrainer(config).run()
    command = (
        "workbench train portraits --portraits PORTRAITS --annotations ANNOTATIONS --scenes SCENES "
        f"--style STYLE --out OUT --name {name} --steps {steps} --distil-steps {distil_steps} "
        f"--batch {batch} --crop {crop} --seed {seed} --mixed-precision {mixed_precision}"
        + (f" --start {Path(start).name}" if start else "")
    )
    typer.echo(str(publish(out, publication, command, keep)))
