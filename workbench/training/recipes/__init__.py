"""How a stylizer is taught, by the name of its paper: losses, discriminators and phases, one file a recipe.

All share data, crops, validation, averaging, checkpoints and publication with
:mod:`workbench.training.stylizer`, so that two methods differ in what their papers say and in nothing else.
"""

from __future__ import annotations

import dataclasses
import importlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from workbench.core.errors import UnknownNameError, WorkbenchError
from workbench.training.stylizer_config import StylizerConfig

if TYPE_CHECKING:
    from workbench.training.recipes.base import Recipe

# Name to module and class: adding a recipe is one new file and one line here.
_RECIPES = {
    "fsgan": ("fsgan", "FSGAN"),
    "cartoongan": ("cartoongan", "CartoonGAN"),
    "animegan": ("animegan", "AnimeGAN"),
    "ugatit_light": ("ugatit", "UGATITLight"),
}


def names() -> list[str]:
    """Names of the recipes."""
    return list(_RECIPES)


def find(name: str) -> type[Recipe]:
    """The class of the recipe ``name``.

    Raises:
        UnknownNameError: if there is none.
        WorkbenchError: for "gatys", which trains nothing.
    """
    if name == "gatys":
        raise WorkbenchError(
            "Gatys' method optimises each picture and trains nothing. Use "
            "workbench.styles.gram.GramStylizer, or one of the recipes " + ", ".join(_RECIPES) + "."
        )
    if name not in _RECIPES:
        raise UnknownNameError("recipe", name, _RECIPES)
    module, attribute = _RECIPES[name]
    return getattr(importlib.import_module(f"{__name__}.{module}"), attribute)


def describe(name: str) -> str:
    """What the recipe ``name`` does, in one line."""
    return importlib.import_module(find(name).__module__).__doc__.strip().splitlines()[0]


def sorted_settings(given: Mapping[str, Any]) -> dict[str, Any]:
    """Fields of StylizerConfig as they are, all else in ``settings``: the recipe's own choices."""
    fields = {field.name for field in dataclasses.fields(StylizerConfig)}
    general = {key: value for key, value in given.items() if key in fields}
    own = {key: value for key, value in given.items() if key not in fields}
    return general | {"settings": {**general.get("settings", {}), **own}}


def config_for(name: str, **given: Any) -> StylizerConfig:
    """A training's configuration: what the recipe's paper says, overridden by what is ``given``.

    Raises:
        UnknownNameError: if there is no recipe ``name``.
    """
    return StylizerConfig(recipe=name, **{**find(name).defaults, **given})
