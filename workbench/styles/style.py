"""The base class of styles, the entries of the style menu."""

from __future__ import annotations

import abc
import dataclasses
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, ClassVar

import cv2
import numpy as np
from numpy.typing import NDArray

from workbench.core import devices, options
from workbench.core.errors import UnknownNameError, WorkbenchError
from workbench.core.pixels import GRAY, LIT, LUMA, as_gray, color_spread, is_gray, luma, parts
from workbench.drawing import scale
from workbench.styles.names import RUNTIMES
from workbench.styles.options import DrawOptions

if TYPE_CHECKING:
    import torch

Pixels = NDArray[np.uint8]  # (H, W, 3), RGB
Progress = Callable[[float], None]  # called with the share done, in (0, 1]; what it raises stops the work
Draw = Callable[[Pixels, Progress | None], Pixels]
Drawer = Callable[[Sequence[Pixels]], list[Pixels]]  # frames of one film, in order


_CLEARLY = 2 * GRAY  # a frame of a gray film has colour from here on, so that its noise does not flicker


@dataclasses.dataclass(frozen=True)
class Style(abc.ABC):
    """One entry of the style menu: :meth:`draw` for a picture, :meth:`drawer` for the frames of a film.

    A kind of style is a subclass with :meth:`load`. Another package offers one as an entry point of the group
    ``workbench.styles``: a style, or a function without arguments that gives one.
    """

    name: str
    title: str
    description: str
    licence: str
    kind: ClassVar[str] = "style"  # "network", "portrait" or "filter"
    needs: ClassVar[str] = ""  # what a picture must show to be drawn at all, e.g. "a face"
    shows: ClassVar[str] = ""  # what it is meant for; a film without it is reported
    limits: ClassVar[tuple[str, ...]] = ()  # what not to expect; of trained styles, their cards say it
    runtimes: ClassVar[tuple[str, ...]] = ("torch",)  # that can run it
    stateful: ClassVar[bool] = False  # whether a frame depends on the frames before it
    flickers: ClassVar[bool] = True  # whether a film's noise changes the drawing, which is then steadied
    keeps_gray: ClassVar[bool] = False  # whether the drawing of a picture without colour has none, either
    grows: ClassVar[bool] = False  # whether large pictures are drawn small and the drawing enlarged

    @abc.abstractmethod
    def load(self, runtime: str, device: torch.device) -> Draw:
        """The function that draws one picture at its own scale. Problems with the style are raised here,
        before any work.

        Args:
            runtime: one of :attr:`runtimes`.
            device: of the networks.

        Raises:
            WeightsError: the weights cannot be used. WorkbenchError: packages are missing.
        """

    def load_frames(self, runtime: str, device: torch.device) -> Drawer:
        """The function that draws the frames of one film; by default one by one, each as a picture."""
        draw = self.load(runtime, device)
        return lambda frames: [draw(frame, None) for frame in frames]

    def load_at(self, detail: float, runtime: str, device: torch.device) -> Draw:
        """The function that draws one picture of any size, so that lines and regions grow with it."""
        draw = self.load(runtime, device)
        if not self.grows:
            return draw

        def at_scale(pixels: Pixels, progress: Progress | None) -> Pixels:
            working = scale.working_picture(pixels, scale.SIDE * detail)
            drawn = draw(working, progress)
            return drawn if working is pixels else scale.enlarged(drawn, *pixels.shape[:2])

        return at_scale

    def share_of_past(self, temporal: float) -> float:
        """How much of the drawing before steadies the next one: ``temporal``, or nothing without flicker."""
        return temporal if self.flickers else 0.0

    def adjusted(self, options: DrawOptions) -> Style:
        """The style with the options that only its kind has."""
        return self

    @property
    def halo(self) -> int | None:
        """Radius in pixels of the region that a pixel of the drawing depends on; None: the whole picture."""
        return None

    def check(self, runtime: str = "torch", device: str | None = None) -> torch.device:
        """Raise what :meth:`draw` would raise for every picture, without drawing one; the device to use."""
        self.load(runtime, where := self._place(runtime, device))
        return where

    def draw(
        self,
        pixels: Pixels,
        strength: float = 1.0,
        progress: Progress | None = None,
        *,
        preserve_color: float = 0.0,
        detail: float = 1.0,
        deform: float = DrawOptions.deform,
        runtime: str = "torch",
        device: str | None = None,
    ) -> Pixels:
        """Redraw a picture of any size. Arguments and errors: see :func:`workbench.styles.stylize.stylize`.

        Whether the picture is gray is asked of all of it, and not of its tiles.

        Args:
            pixels: (H, W, 3) uint8; left as they are.

        Returns:
            New pixels of the same shape.
        """
        chosen = _checked(strength=strength, preserve_color=preserve_color, detail=detail, deform=deform)
        draw = self.adjusted(chosen).load_at(chosen.detail, runtime, self._place(runtime, device))
        drawn = draw(pixels, progress) if chosen.strength > 0 else pixels.copy()
        if chosen.strength > 0 and self.keeps_gray and is_gray(pixels):
            drawn = self.without_color(pixels, drawn)
        elif chosen.strength > 0 and chosen.preserve_color > 0:
            drawn = with_chroma_of(pixels, drawn, chosen.preserve_color)
        if 0 < chosen.strength < 1:
            drawn = _blend(drawn, pixels, chosen.strength)
        if progress is not None:
            progress(1.0)
        return drawn

    def drawer(
        self,
        strength: float = 1.0,
        runtime: str = "torch",
        device: str | None = None,
        *,
        detail: float = 1.0,
        deform: float = DrawOptions.deform,
        gray: bool = False,
    ) -> Drawer:
        """The function that draws the frames of one film, each (H, W, 3) uint8.

        Make one for each film and give it the frames in order: a :attr:`stateful` style depends on earlier
            frames. A frame that shows nothing that the style :attr:`needs` is returned unchanged.

        Args:
            strength, runtime, device, detail, deform: as for :meth:`draw`.
            gray: the film has no colour (:func:`workbench.styles.video.is_gray_film`): nor have its drawings,
                but for those of frames that clearly have some. In another film the drawing of a frame
                without colour has none if the frame is lit, as all fades to black are gray.
        """
        chosen = _checked(strength=strength, detail=detail, deform=deform)
        share = chosen.strength
        draw = self.adjusted(chosen).load_frames(runtime, self._place(runtime, device))
        if self.grows:
            draw = _at_scale(draw, scale.SIDE * detail)
        if self.keeps_gray:
            draw = self._of_film(draw, gray)
        if share == 0:
            return list
        if share == 1:
            return draw

        def blended(frames: Sequence[Pixels]) -> list[Pixels]:
            pairs = zip(draw(frames), frames, strict=True)
            return [photo if drawing is photo else _blend(drawing, photo, share) for drawing, photo in pairs]

        return blended

    def without_color(self, photo: Pixels, drawing: Pixels) -> Pixels:
        """The drawing of a gray photo, both (H, W, 3) uint8, without what the style tints."""
        return as_gray(drawing)

    def _of_film(self, draw: Drawer, gray: bool) -> Drawer:
        """``draw`` with no more colour than the frames have."""

        def kept(frame: Pixels, drawing: Pixels) -> Pixels:
            share = float(not is_gray(frame, _CLEARLY)) if gray else _share_of_color(frame)
            if drawing is frame or share == 1:
                return drawing
            plain = self.without_color(frame, drawing)
            return _blend(drawing, plain, share) if share else plain

        return lambda frames: [kept(*pair) for pair in zip(frames, draw(frames), strict=True)]

    def _place(self, runtime: str, device: str | None) -> torch.device:
        if runtime not in RUNTIMES:
            raise UnknownNameError("runtime", runtime, RUNTIMES)
        if runtime not in self.runtimes:
            raise WorkbenchError(
                f"Expected the runtime {' or '.join(self.runtimes)} but got {runtime}: {self.name} is a "
                f"{self.kind}, which no other runtime supports. Use --runtime {self.runtimes[0]}."
            )
        return devices.resolve(device)


def _share_of_color(frame: Pixels) -> float:
    """How much of its colour the drawing of a frame of a coloured film keeps, 0 to 1.

    None if the frame is lit and gray, all if it is dark or clearly coloured, and a share between these, so
    that nothing flickers where a scene is close to them.
    """
    small = parts(frame)
    color = np.clip((color_spread(small) - GRAY) / (_CLEARLY - GRAY), 0, 1)
    light = np.clip(luma(small).max() / LIT - 1, 0, 1)
    return float(max(color, 1 - light))


def with_chroma_of(photo: Pixels, drawing: Pixels, amount: float = 1.0) -> Pixels:
    """The drawing with its luma kept and its chroma moved towards the photo's, in YUV (BT.601).

    At 1 the colours are the photo's, clamped where the drawing's luma does not allow them (blue in white).
    Meant for styles that do not move shapes.

    Args:
        photo: (H, W, 3) uint8.
        drawing: the same shape.
        amount: share of the way, 0 to 1.

    Source: Gatys, Bethge, Hertzmann and Shechtman, "Preserving color in neural artistic style transfer",
        2016, section 3 (luminance-only transfer).
    """
    chroma = np.eye(3) - np.tile(LUMA, (3, 1))  # removes the luma of a difference
    output = np.empty_like(drawing)
    step = max(1, 1_000_000 // drawing.shape[1])  # rows at a time: no float copy of a large picture
    for top in range(0, len(drawing), step):
        band = slice(top, top + step)
        change = cv2.transform(photo[band].astype(np.float32) - drawing[band], chroma)
        output[band] = np.clip(np.rint(drawing[band] + np.float32(amount) * change), 0, 255)
    return output


def _at_scale(draw: Drawer, side: float) -> Drawer:
    """``draw`` for frames of any size, which are drawn at a short side of ``side``."""

    def drawn(frames: Sequence[Pixels]) -> list[Pixels]:
        small = [scale.working_picture(frame, side) for frame in frames]
        return [
            picture if at_own_size is frame else scale.enlarged(picture, *frame.shape[:2])
            for picture, at_own_size, frame in zip(draw(small), small, frames, strict=True)
        ]

    return drawn


def _checked(**given: float) -> DrawOptions:
    return options.build(DrawOptions, given)


def _blend(drawing: Pixels, photo: Pixels, share: float) -> Pixels:
    """``share`` of the drawing, the rest of the photo."""
    return np.asarray(cv2.addWeighted(drawing, share, photo, 1 - share, 0), np.uint8)
