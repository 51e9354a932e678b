"""The settings of each way to train a classifier. Importing them does not load torch.

A field's comment is its help (see :mod:`workbench.core.options`).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from workbench.core.errors import DatasetError

if TYPE_CHECKING:
    from workbench.data.paintings import Paintings
    from workbench.data.transforms import Views

Crop = tuple[int, int]
Calibration = Literal["votes", "label"]


@dataclasses.dataclass(frozen=True)
class ViewsConfig:
    """How the deep stages of a network are fine-tuned on stored views. Saved as JSON with every result."""

    model: str = "lite0_classifier"  # a timm EfficientNet, which starts from ImageNet weights
    frozen_stages: int = 6  # first of the 7 stages that stay as they are
    epochs: int = 3  # passes over the pictures, each with one random view of each
    batch_size: int = 32  # pictures per step
    learning_rate: float = 1e-4  # peak, deep stages
    head_learning_rate: float = 1e-4  # peak, the linear layer, which starts as a fitted probe
    probe_penalty: float = 0.3  # squared norm of that probe's weights on standardised features
    weight_decay: float = 0.02  # of AdamW
    dropout: float = 0.2  # of pooled features
    hard_share: float = 0.5  # of the target that is the label; the rest is the raters' votes, if any
    class_weight_power: float = 0.5  # weight of a class = frequency ** -power; 0 is none, 1 balances fully
    calibrate_to: Calibration = "votes"  # what probabilities match: the raters' votes, if any, or the label
    mixup: float = 0.2  # alpha of the Beta distribution, on stage features; 0 is none
    ema: float = 0.95  # decay of the averaged weights per step
    interpolation: float = 0.25  # of the way from the start (0: a probe) to the tuned weights (1)
    gradient_clip: float = 5.0  # largest norm
    train_views: int = 12  # random views per picture that are stored
    squeezed_views: float = 0.33  # share of them that show the whole picture squeezed
    # (short side, count) of the native-scale crops that are read
    eval_crops: tuple[Crop, ...] = ((224, 3), (256, 3), (320, 2))
    eval_squeeze: bool = True  # also read the whole picture squeezed to a square
    size: int = 224  # pixels of a view's side
    folds: int = 5  # of the cross-validation; painters stay together
    split_seeds: tuple[int, ...] = (0,)  # one cross-validation per seed
    seed: int = 0  # of the views, the batches and dropout

    def __post_init__(self) -> None:
        if min(self.epochs, self.batch_size, self.train_views) < 1 or not self.split_seeds:
            raise DatasetError(
                "Expected at least 1 epoch, picture per batch, view per picture and split seed."
            )

    @property
    def views(self) -> Views:
        """Evaluation views of the trained classifier."""
        return _views(self.size, self.eval_crops, squeeze=self.eval_squeeze)


@dataclasses.dataclass(frozen=True)
class StatisticsConfig:
    """How the linear layer on stage statistics is fitted. Saved as JSON with every result."""

    variants: tuple[str, ...] = ("lite0", "lite1")  # the frozen networks
    size: int = 224  # pixels of a view's side
    eval_crops: tuple[Crop, ...] = ((224, 3), (336, 3))  # (short side, count) at native scale
    novelty_components: int = 32  # components of the novelty score; 0 is none
    covariance_stage: int = 5  # of the first network: its channels' covariances are read as well; 0 is none
    hard_share: float = 0.25  # of the target that is the label; the rest is the raters' votes, if any
    class_weight_power: float = 0.0  # weight of a class = frequency ** -power; 0 is none, 1 balances fully
    calibrate_to: Calibration = "votes"  # what probabilities match: the raters' votes, if any, or the label
    penalty: float = 0.3  # squared norm of the weights on standardised statistics
    folds: int = 5  # of the cross-validation; painters stay together
    split_seeds: tuple[int, ...] = (0, 1, 2)  # one cross-validation per seed
    seed: int = 0  # changes nothing here: the fit has no random part

    @property
    def views(self) -> Views:
        """Evaluation views of the classifier."""
        return _views(self.size, self.eval_crops)


@dataclasses.dataclass(frozen=True)
class EmbeddingConfig:
    """How a linear layer on the embeddings of a frozen network is fitted. Saved as JSON with every result."""

    # lite0, lite1, trained weights with a card (a name or a .safetensors file), or any architecture of timm
    backbone: str = "lite0"
    weights: str = ""  # file of the architecture's weights; without it they are downloaded
    novelty_components: int = 32  # components of the novelty score; 0 is none
    hard_share: float = 0.25  # of the target that is the label; the rest is the raters' votes, if any
    class_weight_power: float = 0.0  # weight of a class = frequency ** -power; 0 is none, 1 balances fully
    calibrate_to: Calibration = (
        "votes"  # what the probabilities match: the raters' votes, if any, or the label
    )
    penalty: float = 0.3  # squared norm of the weights on standardised embeddings
    folds: int = 5  # of the cross-validation; painters stay together
    split_seeds: tuple[int, ...] = (0,)  # one cross-validation per seed
    seed: int = 0  # changes nothing here: the fit has no random part

    @property
    def views(self) -> Views:
        """The one view that the backbone gets: the whole picture squeezed to its size."""
        from workbench.models.backbones import load_backbone

        backbone = load_backbone(self.backbone, self.weights or None)
        return _views(backbone.size, (), mean=backbone.mean, std=backbone.std)


@dataclasses.dataclass(frozen=True)
class FinetuneConfig:
    """How a network is trained end to end. Saved as JSON with every result."""

    model: str = "mafr_efficientnet_lite0"  # an architecture of kind classifier
    arguments: Mapping[str, object] = dataclasses.field(default_factory=dict)  # of the architecture, in JSON
    pretrained: bool = True  # start from the ImageNet weights that the architecture knows
    initial: str = ""  # a .safetensors file (with its card) to start from instead; its head is left out
    transfer: Literal["frozen", "partial", "full"] = "full"  # which layers are trained
    partial_share: float = 0.34  # of the layer groups, from the deep end, that "partial" trains
    layer_decay: float = 0.8  # of the learning rate from one layer group to the next shallower; 1 is none
    size: int = 224  # pixels of a view's side
    # augmentation policy of the training views
    augmentation: Literal["none", "flip", "crop", "colour", "rotate", "cutout", "brush", "strong"] = "brush"
    epochs: int = 8  # passes over the pictures
    batch_size: int = 32  # pictures per step
    learning_rate: float = 3e-4  # peak, deepest group and head
    weight_decay: float = 0.05  # of AdamW
    probe_penalty: float = 0.3  # of the probe that is the first head of pretrained layers
    hard_share: float = 0.5  # of the target that is the label; the rest is the raters' votes, if any
    class_weight_power: float = 0.5  # weight of a class = frequency ** -power; 0 is none, 1 balances fully
    calibrate_to: Calibration = "votes"  # what probabilities match: the raters' votes, if any, or the label
    mixup: float = 0.0  # alpha of the Beta distribution, on pictures; 0 is none
    ema: float = 0.0  # decay of averaged weights per step; 0 is none
    patience: int = 0  # epochs without a better loss on held-out training groups before stopping; 0 is never
    holdout: float = 0.2  # share of training groups held out for that
    gradient_clip: float = 5.0  # largest norm
    eval_crops: tuple[Crop, ...] = ()  # (short side, count) of crops read beside the squeezed picture
    mixed_precision: Literal["no", "bf16"] = "no"  # bf16 is faster where the processor has it
    folds: int = 5  # of the cross-validation; painters stay together
    split_seeds: tuple[int, ...] = (0,)  # one cross-validation per seed
    seed: int = 0  # of the first head, the views and the batches

    def __post_init__(self) -> None:
        if self.epochs < 1 or self.batch_size < 2 or self.size < 32 or not self.split_seeds:
            raise DatasetError("Expected 1 epoch, 2 pictures per batch, 32 pixels and 1 split seed or more.")
        if self.transfer != "full" and not (self.pretrained or self.initial):
            raise DatasetError(
                f"Expected pretrained weights for {self.transfer} transfer, since untrained layers "
                "would stay random. Use full, or start from weights."
            )
        if not 0 < self.partial_share <= 1 or not 0 < self.holdout < 1 or not 0 < self.layer_decay <= 1:
            raise DatasetError("Expected partial_share and layer_decay in (0, 1] and holdout in (0, 1).")

    @property
    def views(self) -> Views:
        """Evaluation views of the trained network."""
        from workbench.models.registry import architecture_info

        known = architecture_info(self.model)
        return _views(self.size, self.eval_crops, mean=known.mean, std=known.std)


def _views(size: int, crops: tuple[Crop, ...], squeeze: bool = True, **normalisation) -> Views:
    from workbench.data.transforms import Crops, Squeeze, Views

    whole = (Squeeze(size),) if squeeze else ()
    return Views((*whole, *(Crops(side, count, size) for side, count in crops)), **normalisation)


Config = ViewsConfig | StatisticsConfig | EmbeddingConfig | FinetuneConfig

# the settings of each architecture that is not trained end to end
OF_ARCHITECTURE: Mapping[str, type] = {
    "lite0_classifier": ViewsConfig,
    "lite_statistics": StatisticsConfig,
    "backbone_probe": EmbeddingConfig,
}


@dataclasses.dataclass(frozen=True)
class Publication:
    """Texts of a classifier's card that are not measured."""

    name: str = "my_classifier"  # of the weights; a file stem
    title: str | None = None  # one line for menus
    description: str | None = None  # a paragraph for the card
    data_source: str | None = None  # what the paintings are, for the card; by default the folder's name
    data_licence: str = "unstated"  # licence of the paintings
    licence: str = "unstated: see the licence of the training pictures"  # of the weights
    samples: int = 2000  # bootstrap samples of the intervals
    # what the model must not be used for
    limitations: str = "Measured by cross-validation on the training pictures' own collection only."

    def __post_init__(self) -> None:
        if not self.name or Path(self.name).name != self.name:
            raise DatasetError(
                f"Expected a plain model name but got {self.name!r}. Use letters, digits and underscores."
            )


@dataclasses.dataclass(frozen=True)
class Source:
    """The labelled pictures to train on, see :func:`workbench.data.paintings.read_paintings`."""

    data: Path  # folder of paintings: one sub-folder per class, or with a table
    # CSV: path, label, painter, votes_CLASS …; by default ratings.csv in the folder
    ratings: Path | None = None
    # column whose pictures stay together, or near-duplicates to find them by likeness
    group_by: str | None = None
    skip_unreadable: bool = False  # leave out files that cannot be read; the card says how many

    def read(self) -> Paintings:
        """The labelled pictures."""
        from workbench.data.paintings import read_paintings

        return read_paintings(
            self.data, self.ratings, skip_unreadable=self.skip_unreadable, group_by=self.group_by
        )
