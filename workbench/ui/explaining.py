"""Words for the choice of an explanation: methods, layers, and how far to trust what they show."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Mapping
from typing import Any

from workbench.interpret.catalogue import METHODS

DEFAULT_METHOD = "grad_cam"
DEFAULT_LAYER = ""  # the layer that the classifier prefers
_SLOW = {"integrated_gradients", "occlusion"}
# what probes of EfficientNet-lite0's blocks found best known at which depth (the study what_layers_see)
_DEPTHS = ((0.3, "fine: colours"), (0.67, "middle: lines and texture"), (1.0, "deep: what goes with mood"))


def method_choices(names: Iterable[str]) -> list[tuple[str, str]]:
    """(label, name) of the methods."""
    return [(METHODS[name].title + (" (takes seconds)" if name in _SLOW else ""), name) for name in names]


NO_LAYER_YET = [("The usual one", DEFAULT_LAYER)]  # until the network is there to name the others


def layer_choices(facts: Mapping[str, Any]) -> list[tuple[str, str]]:
    """(label in words, name) of the stages, the classifier's own choice first."""
    names, default = facts["layers"], facts["layer"]
    first = "The usual one" + (f": {layer_words(default, names).partition(',')[0]}" if default else "")
    return [(first, DEFAULT_LAYER), *((layer_words(name, names), name) for name in names)]


def layer_words(name: str, names: list[str]) -> str:
    """``lite1.stage5`` among its like as "lite1 stage 5 of 7, middle: lines and texture"."""
    network, _, stage = name.rpartition(".")
    own = [n for n in names if n.rpartition(".")[0] == network]
    words = {"stem": "first layer", "head": "last layer"}.get(stage, stage)
    if number := re.fullmatch(r"stage(\d+)", stage):
        words = f"stage {number[1]} of {sum('stage' in n for n in own)}"
    depth = (own.index(name) + 0.5) / len(own)
    what = next(what for limit, what in _DEPTHS if depth < limit)
    words = f"{network} {words}".strip()
    return f"{words[:1].upper()}{words[1:]}, {what}" if not network else f"{words}, {what}"


def trust_line(facts: Mapping[str, Any], method: str, layer: str = DEFAULT_LAYER) -> str:
    """What the method shows, and how far its maps of this model can be trusted."""
    is_usual = layer in (DEFAULT_LAYER, facts["layer"]) or not METHODS[method].layered
    text = facts["reliance"][method][is_usual]
    return (
        f'<p class="fine">{html.escape(METHODS[method].description)}</p>'
        f'<p class="fine reliance"><strong>How far to trust this map.</strong> {html.escape(text)}</p>'
    )
