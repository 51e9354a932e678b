"""The settings of a training, one frozen dataclass per recipe. Flags, ``config.json`` and the card's command
are generated from its fields and their comments.

Recipes are registered only here: :data:`RECIPES` has their configs, and a config names the class that trains
it. This module does not import torch, so that the command line can read it quickly.
"""

from __future__ import annotations

import dataclasses
import importlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, TypeVar

from workbench.core import options
from workbench.core.errors import WorkbenchError
from workbench.core.files import write_whole
from workbench.core.options import Range
from workbench.core.registry import Registry

if TYPE_CHECKING:
    from workbench.training.recipes.base import Recipe

RECIPES: Registry[type[TrainingConfig]] = Registry("recipe")
Config = TypeVar("Config", bound="type[TrainingConfig]")

Count = Annotated[int, Range(0)]
Positive = Annotated[int, Range(1)]
Weight = Annotated[float, Range(0)]
Share = Annotated[float, Range(0, 1)]
Crop = Annotated[int, Range(32)]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Publication:
    """Which weights are published, and the texts of their card."""

    sources: ClassVar[tuple[str, ...]] = ()  # entries of the card that a field NAME_source describes

    name: str = "my_style"  # name of the weights, and their file's
    keep: str = "best"  # weights to publish: best (on held-out pictures), last, or a step_*.pt of the folder
    title: str = "A style of your own"  # one line for menus
    description: str = "Scenes redrawn in the style of the pictures it was trained on."  # for the card
    licence: str = "as the training pictures allow"  # licence of the weights
    limitations: str = ""  # what the weights cannot do, or must not be used for

    def training(self, config: TrainingConfig) -> str:
        """How the weights were trained, for the card."""
        return config.summary


@dataclasses.dataclass(frozen=True, kw_only=True)
class StylizerPublication(Publication):
    """Of a stylizer of scenes."""

    sources: ClassVar[tuple[str, ...]] = ("photo", "style")

    photo_source: str = "the user's photos"  # what the photos are, and their licence
    style_source: str = "the user's style pictures"  # what the style pictures are, and their licence
    limitations: str = (  # what the weights cannot do, or must not be used for
        "Trained on scenes: faces are redrawn like any other surface, not turned into anime faces. "
        "Fine texture may be lost, and faint borders may be inked where the photo has none."
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class PortraitPublication(Publication):
    """Of a stylizer of portraits."""

    sources: ClassVar[tuple[str, ...]] = ("portrait", "scene", "style")

    name: str = "my_portrait"  # name of the weights, and their file's
    title: str = "Anime portrait of your own"  # one line for menus
    description: str = (  # for the card
        "People redrawn as anime portraits; what surrounds them stays as it is."
    )
    portrait_source: str = "the user's portraits"  # what the portraits are, and their licence
    scene_source: str = "the user's scenes"  # what the scenes are, and their licence
    style_source: str = "the user's anime faces"  # what the anime faces are, and their licence
    recipe: str = ""  # how it was trained, for the card; empty for the recipe's own description
    limitations: str = (  # what the weights cannot do, or must not be used for
        "Upright faces that look roughly at the viewer; profiles, tilted and very small faces are not found. "
        "Glasses, beards and wrinkles are mostly drawn away; haircuts, and bald heads a little, gain a "
        "fringe. A drawing is not a likeness: do not use it to say who somebody is, or how old, or of what "
        "sex or descent."
    )

    def training(self, config: TrainingConfig) -> str:
        return self.recipe or config.summary


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainingConfig:
    """Settings of every training."""

    recipe: ClassVar[str]  # name
    summary: ClassVar[str]  # the recipe in one line, for the card
    trained_by: ClassVar[str]  # MODULE:CLASS of the recipe
    publication: ClassVar[type[Publication]]
    places: ClassVar[tuple[str, ...]] = ("style", "out")  # fields that are local folders or files

    style: str  # folder of pictures in the style, 50 or more
    out: str  # folder for checkpoints, logs, validation pictures and the weights; resumed if used
    architecture: str = "fsgan_small"  # generator, see `workbench models --architectures`
    arguments: dict = dataclasses.field(default_factory=dict)  # keyword arguments of the generator
    start: str = ""  # weights to start from: a model's name, a .safetensors file, or a training's best.pt
    steps: Positive = 5000  # steps of all phases together
    distil_steps: Count = 2000  # steps of the first phase, where the recipe has two
    minutes: Weight = 0.0  # time budget of this run; 0 has none
    total_minutes: Weight = 0.0  # time budget of all runs into this folder together; 0 has none
    clock: Literal["wall", "processor"] = "wall"  # what time budgets and reported times count
    batch: Positive = 8  # crops a step
    crop: Crop = 192  # side of the crops in pixels
    seed: int = 0  # of the split, the batches, the noise and the initial weights
    lr_distil: Weight = 4e-4  # learning rate of the generator, first phase
    lr: Weight = 1e-4  # learning rate of the generator, last phase
    lr_discriminator: Weight = 2e-4  # learning rate of the discriminators
    ema: Share = 0.998  # decay of the averaged generator, per step
    clip: Weight = 1.0  # largest gradient norm of the generator
    validate_every: Count = 250  # steps between validations; 0 never validates
    checkpoint_every: Count = 0  # steps between checkpoints without validation; 0 has none
    mixed_precision: Literal["no", "bf16"] = "no"  # bf16 is faster where the processor has it
    threads: Count = 0  # CPU threads; 0 takes PyTorch's default
    device: str | None = None  # auto, cpu, cuda (cuda:1 …) or mps; by default WORKBENCH_DEVICE, or auto
    # start again in a folder with an earlier training, whose weights and logs are removed
    restart: bool = False

    def write(self, path: Path) -> None:
        """Write the configuration and its recipe's name as JSON."""
        values = {"recipe": self.recipe} | dataclasses.asdict(self)
        write_whole((json.dumps(values, indent=2) + "\n").encode(), path)


def config_for(recipe: str, **given: Any) -> Any:
    """The configuration of a training: the recipe's defaults, overridden by ``given``.

    Raises:
        UnknownNameError: there is no such recipe, or it has no such setting.
        WorkbenchError: a value of another type or outside its limits, or one that is missing; or the recipe
            is "gatys", which trains nothing.
    """
    if recipe == "gatys":
        raise WorkbenchError(
            "Gatys' method optimises each picture and trains nothing. Use "
            f"workbench.styles.gram.GramStylizer, or one of the recipes {', '.join(RECIPES.names())}."
        )
    return options.build(RECIPES.get(recipe), given)


def read_config(path: str | Path) -> TrainingConfig:
    """The configuration that :meth:`TrainingConfig.write` wrote."""
    values = json.loads(Path(path).read_text())
    return config_for(values.pop("recipe"), **values)


def recipe_class(config: TrainingConfig) -> type[Recipe]:
    """The class that trains by ``config``; imports torch."""
    module, _, name = config.trained_by.partition(":")
    return getattr(importlib.import_module(module), name)


def recorded_command(prefix: str, config: TrainingConfig, publication: Publication) -> str:
    """The command that trains and publishes with these settings, with every value that is not the default.

    Folders are shown as the option's name in capitals, since local paths are private and differ elsewhere.
    """
    shown = {place: place.upper() for place in config.places if getattr(config, place)}
    if config.start:
        shown["start"] = Path(config.start).name
    return options.command(prefix, config, publication, shown=shown)


def settings(config: TrainingConfig) -> dict[str, Any]:
    """All settings of a training except local folders."""
    return {k: v for k, v in dataclasses.asdict(config).items() if k not in (*config.places, "start")}


def _recipe(name: str, trained_by: str) -> Any:
    """Decorator: register a config under its recipe's name; its docstring describes it on the card."""

    def register(cls: Config) -> Config:
        cls.recipe, cls.summary = name, (cls.__doc__ or "").strip().rstrip(".")
        cls.trained_by = f"workbench.training.recipes.{trained_by}"
        RECIPES.add(name, cls)
        return cls

    return register


# -- scenes ------------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True, kw_only=True)
class StylizerConfig(TrainingConfig):
    """Of a stylizer of scenes."""

    publication: ClassVar[type[Publication]] = StylizerPublication
    places: ClassVar[tuple[str, ...]] = ("photos", "held_out_photos", "style", "out")

    photos: str  # folder of photos of what is to be redrawn
    held_out_photos: str = ""  # folder of photos to hold out; by default HELD_OUT of PHOTOS are
    scales: tuple[float, ...] = (0.75, 1.15)  # range of random resizing of crops; 1 1 keeps every pixel
    # share of the training photos that are repeated with their colour channels in another order, so that hues
    # that are rare among them are learnt
    recoloured: Share = 0.0
    photo_side: Positive = 288  # photos are shrunk to this short side in pixels
    style_side: Positive = 288  # style pictures likewise: strokes and details must have comparable size
    held_out: Count = 80  # held-out photos: half to choose the weights, half to measure the chosen ones
    split_seed: int | None = None  # of the choice of held-out photos; by default SEED

    def __post_init__(self):
        if len(self.scales) != 2 or not 0 < self.scales[0] <= self.scales[1]:
            raise WorkbenchError(f"Expected two scales above 0, the smaller first, but got {self.scales}.")


@dataclasses.dataclass(frozen=True, kw_only=True)
class DistilledConfig(StylizerConfig):
    """Of a recipe whose first phase imitates a drawn teacher."""

    teacher: str = "kuwahara"  # teacher of the first phase, one of `workbench.drawing.teachers`
    drawing: dict = dataclasses.field(default_factory=dict)  # changes to the teacher's settings
    w_l1: Weight = 1.0  # first phase: L1 to the teacher's drawing
    w_lines: Weight = 0.0  # first phase: how much more in L1 a pixel on or beside a line counts
    w_edges: Weight = 1.0  # first phase: L1 between edge maps
    w_gradient: Weight = 0.0  # first phase: L1 between differences of neighbouring lumas
    w_block: Weight = 0.0  # flat inside regions
    warmup_steps: Count = 0  # first phase: steps in which the learning rate rises
    decay_share: Share = 0.0  # first phase: last part, in which it falls by a cosine

    def __post_init__(self):
        super().__post_init__()
        from workbench.drawing.teachers import TEACHERS

        TEACHERS.get(self.teacher).with_changes(self.drawing)  # refused before any long work


@_recipe("distil", "distil:Distil")
@dataclasses.dataclass(frozen=True, kw_only=True)
class DistilConfig(DistilledConfig):
    """Distilled from a drawn teacher: L1 on lines, within regions and of luma gradients, patch adversary."""

    style: str = ""  # folder of pictures in the style, to measure the distance to it; none is needed
    teacher: str = "comic"
    lr_distil: Weight = 1e-3
    ema: Share = 0.997
    batch: Positive = 12
    crop: Crop = 160
    w_lines: Weight = 6.0
    w_edges: Weight = 0.0
    w_gradient: Weight = 2.0
    w_block: Weight = 2.0  # L1 less the mean error of each region of the photo: flat where the teacher is
    w_patch: Weight = 0.02  # adversarial, patches of the lumas of drawing and photo; 0 has no adversary
    patch_from: Count = 500  # steps without the adversary; it gains its weight in as many more
    patch_base: Positive = 16  # channels of the adversary's first layer
    scales: tuple[float, ...] = (1.0, 1.0)  # resizing would blur lines
    warmup_steps: Count = 200
    decay_share: Share = 0.5


@_recipe("fsgan", "fsgan:FSGAN")
@dataclasses.dataclass(frozen=True, kw_only=True)
class FSGANConfig(DistilledConfig):
    """Distilled from a drawn teacher, then adversarial: features, gray patches, spectra."""

    w_teacher: Weight = 30.0  # last phase: L1 to the teacher's drawing
    w_content: Weight = 0.05  # content distance to the photo, deepest features only: texture may go
    w_picture: Weight = 1.0  # adversarial, frozen features of the picture
    w_gray: Weight = 2.0  # adversarial, gray patches
    w_spectral: Weight = 0.1  # adversarial, spectrum; capped by SPECTRAL_CAP
    spectral_cap: Weight = 0.3  # gradient norm of the spectral term, at most this part of all the others'
    w_color: Weight = 2.0  # colours of the photo
    w_block: Weight = 2.0  # flat inside regions
    w_boundary: Weight = 10.0  # borders as clear as the teacher inks them
    w_tv: Weight = 0.05  # total variation
    noise: Weight = 0.08  # std of noise before the frozen features: invisible tricks do not survive it
    spectrum_size: Positive = 80  # side in pixels of the pictures whose spectra are compared

    def __post_init__(self):
        super().__post_init__()
        if self.crop < 2 * self.spectrum_size:
            raise WorkbenchError(
                f"Expected crops of at least twice spectrum_size ({self.spectrum_size}) pixels but got "
                f"{self.crop}."
            )


@_recipe("cartoongan", "cartoongan:CartoonGAN")
@dataclasses.dataclass(frozen=True, kw_only=True)
class CartoonGANConfig(StylizerConfig):
    """CartoonGAN: content features hold, one discriminator pulls, edge-smoothed style counts as fake."""

    architecture: str = "cartoongan"
    lr_distil: Weight = 2e-4
    lr: Weight = 2e-4
    batch: Positive = 4
    w_content: Weight = 0.5  # content distance to the photo


@_recipe("animegan", "animegan:AnimeGAN")
@dataclasses.dataclass(frozen=True, kw_only=True)
class AnimeGANConfig(StylizerConfig):
    """AnimeGAN: texture from gray style pictures, colours from the photo, a critic that refuses gray."""

    architecture: str = "animeganv2"
    lr_distil: Weight = 2e-4
    lr: Weight = 8e-5
    lr_discriminator: Weight = 1.6e-4
    batch: Positive = 4
    w_adversarial: Weight = 300.0  # adversarial, both sides
    w_content: Weight = 60.0  # content distance to the photo
    w_gram: Weight = 30.0  # Gram distance to gray style pictures
    w_color: Weight = 10.0  # colours of the photo
    w_smoothed: Weight = 0.1  # how much edge-smoothed fakes count


@_recipe("whitebox", "whitebox:WhiteBox")
@dataclasses.dataclass(frozen=True, kw_only=True)
class WhiteBoxConfig(StylizerConfig):
    """White-box Cartoonization: surface and texture are judged, superpixels and content hold."""

    architecture: str = "whitebox"
    arguments: dict = dataclasses.field(default_factory=lambda: {"smooth": True})
    lr_distil: Weight = 2e-4
    lr: Weight = 2e-4
    lr_discriminator: Weight = 1e-3
    batch: Positive = 4
    w_surface: Weight = 0.1  # adversarial, smoothed by a guided filter
    w_texture: Weight = 1.0  # adversarial, gray with random weights of the colours
    w_structure: Weight = 0.05  # content distance to the drawing's own superpixels
    w_content: Weight = 0.3  # content distance to the photo
    w_tv: Weight = 0.05  # total variation


@_recipe("ugatit_light", "ugatit:UGATITLight")
@dataclasses.dataclass(frozen=True, kw_only=True)
class UGATITConfig(StylizerConfig):
    """U-GAT-IT light: two generators and four attentive discriminators, photo to style and back."""

    architecture: str = "ugatit_light"
    lr_discriminator: Weight = 1e-4
    batch: Positive = 1
    w_adversarial: Weight = 1.0  # adversarial, both directions
    w_cycle: Weight = 10.0  # a picture drawn and taken back is the picture again
    w_identity: Weight = 10.0  # a style picture drawn stays as it is, and a photo taken back
    w_cam: Weight = 1000.0  # generators' auxiliary classifiers
    base: Positive = 32  # channels of the discriminators' first layer; 64 in the paper


# -- portraits ---------------------------------------------------------------------------------------------


@_recipe("afgan", "afgan:AFGAN")
@dataclasses.dataclass(frozen=True, kw_only=True)
class PortraitConfig(TrainingConfig):
    """Distilled from the drawn portrait, then adversarial on frozen features and attended patches."""

    publication: ClassVar[type[Publication]] = PortraitPublication
    places: ClassVar[tuple[str, ...]] = ("portraits", "annotations", "scenes", "style", "out")

    portraits: str  # folder of portraits on plain backdrops
    annotations: str  # their landmarks and masks (.npz), see `workbench.data.faces`
    scenes: str  # folder of photos that become backgrounds
    style: str  # folder of anime faces, 50 or more
    architecture: str = "afgan_small"
    steps: Positive = 6000
    distil_steps: Count = 6000  # the anime faces of the last phase pull away from the person's own
    batch: Annotated[int, Range(2)] = 8
    crop: Crop = 152
    lr: Weight = 2.5e-4
    ema: Share = 0.99
    validate_every: Count = 500
    person: str = ""  # regular expression whose groups name the person in a file name; default: one per file
    held_out: Share = 0.17  # of the people: half to choose the weights, half to measure the chosen ones
    interocular_px: tuple[float, float] = (24.0, 48.0)  # least and largest distance between the eyes
    dark_skin_fraction: Share = 0.25  # of the training portraits, repeated with dark skin
    drawing: dict = dataclasses.field(default_factory=dict)  # changes to the teacher's settings
    noise: Weight = 0.08  # std of noise before the frozen features
    face_side: Weight = 4.0  # side of the square that discriminators see, in distances between the eyes
    face_pixels: Positive = 128  # side of the square that discriminators see, in pixels
    attention: Weight = 4.0  # how much more a pixel of eyes and mouth counts in L1
    w_mask: Weight = 4.0  # output mask against the true one; at 0.3 it shrank in the last phase
    w_cam: Weight = 0.02  # auxiliary classifier: photo or anime
    w_tone: Weight = 2.0  # colours of 8-pixel squares against the teacher's, chroma three times
    w_edges: Weight = 1.0  # edge maps against the teacher's
    w_features: Weight = 0.3  # frozen features against the teacher's
    features_every: Positive = 3  # steps between two comparisons of frozen features, which weigh more instead
    w_teacher: Weight = 10.0  # last phase: factor of L1, tones and edges
    w_picture: Weight = 1.2  # adversarial, frozen features
    w_patch: Weight = 0.5  # adversarial, patches weighed by attention

    def __post_init__(self):
        from workbench.drawing.portrait import PortraitSettings

        options.build(PortraitSettings, self.drawing)  # refused before any long work
