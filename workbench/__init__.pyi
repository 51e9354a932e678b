# The public names and where they come from: read by type checkers, by editors, and by workbench.core.lazy.
from workbench import core, data, drawing, interpret, losses, metrics, models, plots, studies, training
from workbench.classify.classifier import Classifier, classify, load_classifier
from workbench.classify.finetune import FinetuneEstimator
from workbench.classify.probes import LinearProbe, MajorityClass
from workbench.classify.regression import RatingProbe
from workbench.classify.results import Explanation, Reading, classifiers
from workbench.classify.statistics import StatisticsEstimator
from workbench.classify.summary import compare, summarise
from workbench.classify.validation import Validation, cross_validate
from workbench.core.errors import WorkbenchError
from workbench.data.atelier import open_dataset as open_atelier
from workbench.data.atelier import paint, write_atelier
from workbench.data.check import check_dataset
from workbench.data.duplicates import group_near_duplicates
from workbench.data.images import list_images, read_image
from workbench.data.mixed_models import MixedModel, mixed_model
from workbench.data.neighbours import alike_pairs, nearest, outlier_scores
from workbench.data.paintings import Paintings, read_paintings
from workbench.data.rated import RatedPaintings, read_rated
from workbench.data.splits import grouped_folds
from workbench.interpret.collection_map import map_collection
from workbench.interpret.descriptors import DESCRIPTORS, class_averages, describe, describe_folder
from workbench.interpret.embedding import embed
from workbench.interpret.measuring import MEASURES, measure, measure_folder
from workbench.metrics.bootstrap import bootstrap, paired_bootstrap
from workbench.metrics.classification import classification_report
from workbench.metrics.kid import kid
from workbench.metrics.scores import names as list_scores
from workbench.models import Card
from workbench.models import create as create_model
from workbench.models import load as load_model
from workbench.models import names as list_models
from workbench.models import save as save_model
from workbench.models import trained as list_trained
from workbench.styles.stylize import Style, styles, stylize
from workbench.styles.video import stylize_video

__version__: str

__all__ = [
    "DESCRIPTORS",
    "MEASURES",
    "Card",
    "Classifier",
    "Explanation",
    "FinetuneEstimator",
    "LinearProbe",
    "MajorityClass",
    "MixedModel",
    "Paintings",
    "RatedPaintings",
    "RatingProbe",
    "Reading",
    "StatisticsEstimator",
    "Style",
    "Validation",
    "WorkbenchError",
    "__version__",
    "alike_pairs",
    "bootstrap",
    "check_dataset",
    "class_averages",
    "classification_report",
    "classifiers",
    "classify",
    "compare",
    "core",
    "create_model",
    "cross_validate",
    "data",
    "describe",
    "describe_folder",
    "drawing",
    "embed",
    "group_near_duplicates",
    "grouped_folds",
    "interpret",
    "kid",
    "list_images",
    "list_models",
    "list_scores",
    "list_trained",
    "load_classifier",
    "load_model",
    "losses",
    "map_collection",
    "measure",
    "measure_folder",
    "metrics",
    "mixed_model",
    "models",
    "nearest",
    "open_atelier",
    "outlier_scores",
    "paint",
    "paired_bootstrap",
    "plots",
    "read_image",
    "read_paintings",
    "read_rated",
    "save_model",
    "studies",
    "styles",
    "stylize",
    "stylize_video",
    "summarise",
    "training",
    "write_atelier",
]
