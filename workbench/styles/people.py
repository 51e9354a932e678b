"""Styles that redraw people: a portrait network's own, and the one that joins it with the scene style."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from workbench.core import cards
from workbench.core.errors import ImageError
from workbench.styles.networks import NetworkStyle, load_network
from workbench.styles.style import Draw, Drawer, Pixels, Progress, Style

if TYPE_CHECKING:
    import torch

    from workbench.styles.portrait import FoundFace

KIND = "portrait_stylizer"  # of the cards
FUSED = "portrait_and_scene"
Faces = Sequence["FoundFace"] | None  # where they are, if that is known


@dataclasses.dataclass(frozen=True)
class PortraitStyle(Style):
    """People as a portrait network draws them, and everything else as it is."""

    path: Path  # of the .safetensors file
    kind = "portrait"
    needs = "a face"
    stateful = True  # faces are followed from frame to frame

    def load(self, runtime: str, device: torch.device) -> Draw:
        """See :meth:`Style.load`."""
        draw = self._load(runtime, device)
        return lambda pixels, progress: draw(pixels, progress, None)

    def load_frames(self, runtime: str, device: torch.device) -> Drawer:
        """See :meth:`Style.load_frames`: a frame that shows no face comes back itself."""
        from workbench.styles.face_tracker import FaceTracker

        draw, track = self._load(runtime, device), FaceTracker()

        def one(frame: Pixels) -> Pixels:
            try:
                return draw(frame, None, track(frame))
            except ImageError:
                return frame

        return lambda frames: [one(frame) for frame in frames]

    def _load(self, runtime: str, device: torch.device) -> Callable[[Pixels, Progress | None, Faces], Pixels]:
        from workbench.styles import portrait

        network = load_network(self.path, device, KIND)
        return lambda pixels, progress, faces: portrait.draw(network, pixels, None, progress, faces)


@dataclasses.dataclass(frozen=True)
class FusedStyle(PortraitStyle):
    """People as a portrait network draws them, in a scene drawn by another network, without a seam."""

    scene: NetworkStyle
    needs = ""  # where no face is found, the scene style draws the whole picture

    def _load(self, runtime: str, device: torch.device) -> Callable[[Pixels, Progress | None, Faces], Pixels]:
        from workbench.styles import portrait

        people, scene = load_network(self.path, device, KIND), self.scene.load_at(1.0, runtime, device)

        def draw(pixels: Pixels, progress: Progress | None, faces: Faces) -> Pixels:
            def part(first: float, last: float) -> Progress | None:
                return None if progress is None else lambda done: progress(first + (last - first) * done)

            return portrait.draw(people, pixels, scene(pixels, part(0.0, 0.8)), part(0.8, 1.0), faces)

        return draw


def of_card(card: cards.Card, path: Path) -> PortraitStyle:
    """The style of a portrait network's weights."""
    return PortraitStyle(card.name, card.title, card.description, card.licence, path)


def fused(people: PortraitStyle, scene: NetworkStyle) -> FusedStyle:
    """The style that joins the two."""
    return FusedStyle(
        FUSED,
        "Anime people in a comic scene (AFGAN and FSGAN)",
        "Faces, hair and shoulders become anime portraits and everything else a comic panel, in one picture "
        "without a seam. Where no face is found, the scene style draws the whole picture.",
        "as both networks: non-commercial",
        people.path,
        scene,
    )
