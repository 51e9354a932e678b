"""Titles, units and sources of the attribution methods, without torch.

:mod:`workbench.interpret.methods` computes them.
"""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True)
class Method:
    """An attribution method, computed by :func:`workbench.interpret.methods.attribute`."""

    title: str  # for menus and plots
    description: str  # one line for people
    units: str  # of the raw values
    layered: bool = False  # whether it uses a layer
    control: bool = False  # whether it ignores the network
    source: str = ""


METHODS: dict[str, Method] = {
    "grad_cam": Method(
        "Grad-CAM",
        "Which places of a layer's feature map spoke for the class, or against it.",
        "logit × activation",
        layered=True,
        source="Selvaraju et al., ICCV 2017",
    ),
    "guided_grad_cam": Method(
        "Guided Grad-CAM",
        "The fine lines, by guided backpropagation, within what Grad-CAM marks. Networks with ReLU only.",
        "logit × activation × guided gradient, summed over |colours|",
        layered=True,
        source="Selvaraju et al., ICCV 2017; Springenberg et al., ICLR workshop 2015",
    ),
    "integrated_gradients": Method(
        "Integrated gradients",
        "Each pixel's share of the difference between this picture's logit and its mean colour's.",
        "logit; the map sums to the difference",
        source="Sundararajan et al., ICML 2017",
    ),
    "occlusion": Method(
        "Occlusion",
        "How far the logit falls when a square is painted over with the picture's mean colour.",
        "logit",
        source="Zeiler and Fergus, ECCV 2014",
    ),
    "random": Method("Random map", "Smooth noise, a control.", "none", control=True, source="a control"),
    "edges": Method(
        "Edge detector",
        "Where the picture has edges, whatever the network is: a control.",
        "gradient of gray value, a pixel",
        control=True,
        source="Adebayo et al., NeurIPS 2018",
    ),
}


def methods(controls: bool = False) -> list[str]:
    """Names of the methods, optionally with the controls."""
    return [name for name, method in METHODS.items() if controls or not method.control]
