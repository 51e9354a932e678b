"""How much do drawings of a video flicker, and what reduces it?

Each clip is drawn frame by frame by each method and compared with the clip itself: the warping error along
the motion relative to the photo's own, the power of fast changes, the temporal spectrum, and the sharpness,
which a blur would lower together with the flicker. Synthesised clips have known motion, so their flow and
their masks are exact; for real clips both come from optical flow of the photographs, by another method than
the one that steadying goes along. Portrait stylizers are measured on clips that show a face.

A warped picture is never quite the next one, and the more contrast it has, the more it misses: beside the
error stands that of the method's first drawing carried along the motion, which does not flicker at all. It is
carried once along the motion that the error is measured along, and once along the one that steadying uses:
where these two disagree, as on blurred hands, no drawing is steady for both.

Of the photographs under the synthesised clips one trained the shipped networks, that of the portrait, on
which ``drawn_portrait`` was tuned as well, so they may do better on it than elsewhere. That of the others
trained nothing. Of real clips the first frames are measured; settings were chosen on later ones and on other
clips, but for two of the steadying: the smoothness of its flow by the known motion of the synthesised clips,
too, and the width of specks by looking at the measured frames of moving hands.
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from workbench.core.errors import UnknownNameError, VideoError
from workbench.metrics import flicker
from workbench.studies.study import TableStudy, register
from workbench.studies.stylizers import weights_of
from workbench.styles.optical_flow import Flow
from workbench.styles.stylize import get
from workbench.styles.tiling import run_together
from workbench.styles.video.flow import CUT, TemporalBlend, smoothed, trusted
from workbench.styles.video.reading import reading

SIZE = 288, 192  # columns and rows of synthesised clips; real ones are scaled to this many pixels
RATE = 25.0  # frames a second of synthesised clips
NOISE = 2.0  # standard deviation of their sensor noise, in levels of 255: every camera has some
STYLE, BOLD, ANIME, INK = "fsgan_comic", "fsgan_bold", "fsgan_anime", "fsgan_ink"
PORTRAIT = "drawn_portrait"
CARRIED = "relative warping error, carried"  # of the first drawing, carried along the motion
CARRIED_OTHERWISE = "relative warping error, carried along the steadying flow"

log = logging.getLogger(__name__)

Frames = list[NDArray[np.uint8]]


@dataclasses.dataclass(frozen=True)
class Clip:
    """Frames with their motion."""

    frames: Frames
    flows: list[NDArray[np.float32]]  # the i-th from frame i + 1 back to frame i
    masks: list[NDArray[np.bool_]]  # where its points are visible in both frames
    rate: float  # frames a second

    @functools.cached_property
    def steadying(self) -> list[NDArray[np.float32]]:
        """The flows that steadying goes along, as :attr:`flows`."""
        flow = Flow(None)
        greys = [flow.grey(frame) for frame in self.frames]
        return [flow.between(after, before) for before, after in itertools.pairwise(greys)]


# Motion of a hand-held camera after t seconds: rotation in degrees, zoom, shift in pixels.
_MOTIONS: dict[str, Callable[[float], tuple[float, float, float, float]]] = {
    "still": lambda t: (0.0, 1.0, 0.0, 0.0),
    "pan": lambda t: (0.0, 1.0, 32.5 * t, 7.5 * t),
    "turn and zoom": lambda t: (6.0 * t, 1.0 + 0.12 * t, 0.0, 0.0),
    "portrait": lambda t: (4.0 * t, 1.0 + 0.08 * t, 12.0 * t, 0.0),
}
SYNTHESISED = tuple(_MOTIONS)


def synthesise(motion: str, frames: int = 12, seed: int = 0) -> Clip:
    """A photograph under a moving camera with sensor noise; its flow is known exactly.

    Args:
        motion: one of :data:`SYNTHESISED`.
        frames: at least 2, at :data:`RATE`.
        seed: of the noise.

    Raises:
        UnknownNameError: no such motion.
    """
    if motion not in _MOTIONS:
        raise UnknownNameError("motion", motion, _MOTIONS)
    scene, rng = _portrait_photo() if motion == "portrait" else _palace_photo(), np.random.default_rng(seed)
    matrices = [_camera(*_MOTIONS[motion](i / RATE), scene.shape[1::-1]) for i in range(frames)]
    pictures = []
    for matrix in matrices:
        options: dict[str, Any] = {
            "flags": cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP,
            "borderMode": cv2.BORDER_REFLECT,
        }
        clean = cv2.warpAffine(scene, matrix[:2], SIZE, **options)
        noisy = clean + rng.normal(0, NOISE, clean.shape)
        pictures.append(np.clip(np.rint(noisy), 0, 255).astype(np.uint8))
    flows = [_known_flow(before, after) for before, after in itertools.pairwise(matrices)]
    return Clip(pictures, flows, [_stays_inside(flow) for flow in flows], RATE)


def read_clip(path: str | Path, frames: int = 12, every: int = 1) -> Clip:
    """The first frames of a video, scaled to about as many pixels as synthesised ones, with optical flow.

    They are of one shot: at a cut nothing moves from one frame to the next, so the clip ends before it.

    Args:
        path: any video that the workbench reads.
        frames: at most.
        every: keep every n-th frame.

    Raises:
        VideoError: it cannot be read, or has fewer than 4 frames before its first cut.
    """
    with reading(path) as reader:
        sides = reader.layout.width * reader.layout.height
    scale = min(1.0, float(np.sqrt(SIZE[0] * SIZE[1] / sides)))
    with reading(path, scale=scale) as reader:
        rate = float(reader.layout.rate) / every
        kept = (f.pixels for i, f in zip(range(frames * every), reader, strict=False) if i % every == 0)
        pictures = list(kept)
    flows: list[NDArray[np.float32]] = []
    masks: list[NDArray[np.bool_]] = []
    for before, after in itertools.pairwise(pictures):
        greys = [np.asarray(cv2.cvtColor(p, cv2.COLOR_RGB2GRAY), np.float32) for p in (before, after)]
        back, forth = _other_flow(*greys[::-1]), _other_flow(*greys)
        mask = flicker.visible(back, forth)
        if trusted(smoothed(before), smoothed(after), back, mask)[0].mean() < CUT:
            log.warning("%s: measured up to its first cut, after %d frames.", Path(path).name, len(flows) + 1)
            break
        flows.append(back)
        masks.append(mask)
    del pictures[len(flows) + 1 :]
    if len(pictures) < min(frames, 4):
        raise VideoError(
            f"Expected at least 4 frames before the first cut of {Path(path).name} but got {len(pictures)}. "
            "Choose a longer clip."
        )
    return Clip(pictures, flows, masks, rate)


def _other_flow(start: NDArray, end: NDArray) -> NDArray[np.float32]:
    """(H, W, 2): TV-L1's flow. Steadying goes along DIS's, and a measure must not share its errors; on
    synthesised clips this one is nearer to the truth.
    """
    from skimage.registration import optical_flow_tvl1

    down, right = optical_flow_tvl1(start / 255, end / 255)
    return np.stack([right, down], -1).astype(np.float32)


def _palace_photo() -> NDArray[np.float32]:
    """A photograph of a palace in a landscape, shipped with scikit-learn; larger than the camera's view."""
    from sklearn.datasets import load_sample_image

    return _scene(load_sample_image("china.jpg"))


def _portrait_photo() -> NDArray[np.float32]:
    """Head and shoulders of NASA's portrait of Eileen Collins (public domain), shipped with scikit-image."""
    from skimage import data

    return _scene(data.astronaut()[:340, :510])


def _scene(photo: NDArray[np.uint8]) -> NDArray[np.float32]:
    return cv2.resize(photo, (480, 320), interpolation=cv2.INTER_AREA).astype(np.float32)


def _camera(turn: float, zoom: float, right: float, down: float, size: Sequence[int]) -> NDArray[np.float64]:
    """(3, 3): maps frame pixels to the scene; the view starts a little left of and above its centre."""
    middle = np.array([size[0] / 2 - 24, size[1] / 2 - 6])
    a = np.radians(turn)
    linear = np.array([[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]]) / zoom
    matrix = np.eye(3)
    matrix[:2, :2] = linear
    matrix[:2, 2] = middle + np.array([right, down]) - linear @ (np.array(SIZE) / 2)
    return matrix


def _known_flow(before: NDArray, after: NDArray) -> NDArray[np.float32]:
    """Backward flow: from each pixel of the later frame to its scene point in the earlier one."""
    matrix = np.linalg.inv(before) @ after
    y, x = np.mgrid[: SIZE[1], : SIZE[0]]
    places = np.stack([x, y, np.ones_like(x)], -1) @ matrix.T
    return (places[..., :2] - np.stack([x, y], -1)).astype(np.float32)


def _stays_inside(flow: NDArray[np.float32]) -> NDArray[np.bool_]:
    height, width = flow.shape[:2]
    y, x = np.mgrid[:height, :width]
    x, y = x + flow[..., 0], y + flow[..., 1]
    return (x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1)


def shows_face(frames: Frames) -> bool:
    """Whether a face is found in the first and in the last frame."""
    from workbench.drawing.faces import find_faces

    return all(find_faces(frame) for frame in (frames[0], frames[-1]))


def heads(frames: Frames) -> list[NDArray[np.bool_]]:
    """Head mask of each frame, (H, W): within 2.2 interocular distances of the centre of the face."""
    from workbench.drawing.faces import find_faces

    y, x = np.mgrid[: frames[0].shape[0], : frames[0].shape[1]]
    masks = []
    for frame in frames:
        near = [
            np.hypot(x - f.middle[0], y - f.middle[1] - 0.3 * f.interocular_px) < 2.2 * f.interocular_px
            for f in find_faces(frame)
        ]
        masks.append(np.any(near, axis=0) if near else np.zeros(x.shape, bool))
    return masks


@functools.cache
def _in_style(style: str) -> Callable[[Frames], Frames]:
    """A function that draws frames in a style; its weights are loaded by the first call, and the drawings of
    the last clip are kept for the methods that steady them.
    """

    @functools.lru_cache(maxsize=1)
    def drawn(shape: tuple[int, ...], frames: tuple[bytes, ...]) -> Frames:
        return get(style).drawer()([np.frombuffer(f, np.uint8).reshape(shape) for f in frames])

    return lambda frames: list(drawn(frames[0].shape, tuple(f.tobytes() for f in frames)))


def _nearest(frames: Frames) -> Frames:
    """The same weights with nearest-neighbour upsampling, for which they were not trained."""
    return run_together(_nearest_network(), frames)


@functools.cache
def _nearest_network():
    from workbench import models
    from workbench.models import weights

    trained, card = models.load(STYLE, weights.SHIPPED)
    network = models.create(card.architecture, **card.arguments | {"upsampling": "nearest"})
    network.load_state_dict(trained.state_dict())
    return network.eval().requires_grad_(False)


def _temporally_blended(method: Callable[[Frames], Frames], weight: float) -> Callable[[Frames], Frames]:
    def draw(frames: Frames) -> Frames:
        blend = TemporalBlend(weight)
        return [blend(photo, drawing) for photo, drawing in zip(frames, method(frames), strict=True)]

    return draw


def _gram(frames: Frames) -> Frames:
    """Each frame optimised by itself towards the look of a drawing by :data:`STYLE` of another photo."""
    stylizer = _gram_stylizer()
    return [stylizer(frame, seed) for seed, frame in enumerate(frames)]


@functools.cache
def _gram_stylizer():
    from skimage import data

    from workbench.styles.gram import GramStylizer

    coffee = cv2.resize(data.coffee(), SIZE, interpolation=cv2.INTER_AREA)
    return GramStylizer(get(STYLE).drawer()([coffee])[0], steps=25)


# The methods compared. Add a stylizer as an entry: it takes frames of one size, returns one drawing for each.
METHODS: dict[str, Callable[[Frames], Frames]] = {
    "photo": list,
    STYLE: _in_style(STYLE),
    f"{STYLE}, nearest": _nearest,
    f"{STYLE}, temporal 0.5": _temporally_blended(_in_style(STYLE), 0.5),
    f"{STYLE}, temporal 0.8": _temporally_blended(_in_style(STYLE), 0.8),
    BOLD: _in_style(BOLD),
    f"{BOLD}, temporal 0.8": _temporally_blended(_in_style(BOLD), 0.8),
    ANIME: _in_style(ANIME),
    f"{ANIME}, temporal 0.8": _temporally_blended(_in_style(ANIME), 0.8),
    INK: _in_style(INK),
    f"{INK}, temporal 0.8": _temporally_blended(_in_style(INK), 0.8),
    "gram": _gram,
    PORTRAIT: _in_style(PORTRAIT),
    f"{PORTRAIT}, temporal 0.8": _temporally_blended(_in_style(PORTRAIT), 0.8),
}
OF_FACES = tuple(name for name in METHODS if name.startswith(PORTRAIT))


def flicker_rows(clip: Clip, drawings: Frames) -> list[dict]:
    """Rows (measure, hertz, value) of one method on one clip; ``hertz`` is empty but for the spectrum."""
    error, own = (flicker.warping_error(f, clip.flows, clip.masks) for f in (drawings, clip.frames))
    gaps = [np.abs(np.int16(d) - p).mean() for d, p in zip(drawings, clip.frames, strict=True)]
    rows = {
        "warping error": error,  # levels of 255
        "change": float(np.mean(gaps)),
    }
    if own > 0:  # of frames that do not change, as in a still or a black lead-in, none is defined
        rows["relative warping error"] = error / own
        for name, flows in ((CARRIED, clip.flows), (CARRIED_OTHERWISE, clip.steadying)):
            moved = carried(drawings[0], flows)
            rows[name] = flicker.warping_error(moved, clip.flows, clip.masks) / own
    if (sharp := _sharpness(clip.frames)) > 0:
        rows["sharpness"] = _sharpness(drawings) / sharp
    frequencies, density = flicker.temporal_spectrum(drawings, clip.rate)
    rows["flicker power"] = flicker.flicker_power(frequencies, density, clip.rate / 4)  # levels²
    table = [{"measure": name, "hertz": "", "value": float(value)} for name, value in rows.items()]
    spectrum = zip(frequencies, density, strict=True)
    return table + [{"measure": "spectrum", "hertz": float(f), "value": float(d)} for f, d in spectrum]


def carried(drawing: NDArray[np.uint8], flows: Sequence[NDArray[np.float32]]) -> Frames:
    """``drawing`` (H, W, 3), then the same as it looks in each later frame: moved along ``flows`` (as in
    :class:`Clip`), sampled once and bicubically, and changed in nothing else.
    """
    frames, path = [drawing], np.zeros_like(flows[0])
    for flow in flows:
        path = flow + flicker.warp(path, flow)
        moved = flicker.warp(drawing.astype(np.float32), path, cv2.INTER_CUBIC)
        frames.append(np.clip(np.rint(moved), 0, 255).astype(np.uint8))
    return frames


def head_rows(clip: Clip, drawings: Frames) -> list[dict]:
    """Rows (measure, hertz, value): the relative warping error on heads and on everything else."""
    found = heads(clip.frames)[1:]
    regions = {
        "heads": [mask & head for mask, head in zip(clip.masks, found, strict=True)],
        "elsewhere": [mask & ~head for mask, head in zip(clip.masks, found, strict=True)],
    }
    rows = []
    for name, masks in regions.items():
        if not any(mask.any() for mask in masks):
            continue
        error, own = (flicker.warping_error(f, clip.flows, masks) for f in (drawings, clip.frames))
        if own > 0:
            rows.append({"measure": f"relative warping error, {name}", "hertz": "", "value": error / own})
    return rows


def _sharpness(frames: Frames) -> float:
    """Mean length of the gradient of brightness."""
    greys = [cv2.cvtColor(f, cv2.COLOR_RGB2GRAY).astype(np.float32) for f in frames]
    return float(np.mean([np.hypot(*np.gradient(g)).mean() for g in greys]))


@register
@dataclasses.dataclass(frozen=True)
class Video(TableStudy):
    """How much do drawings of a video flicker, and what reduces it?

    One row per measurement: clip, method, frames, measure, hertz, value.
    """

    version = 6  # steadying: smoother flow, no trust in islands
    keys = ("clip", "method", "frames")
    sources = ("films",)
    selection = ("films", "motions", "methods", "frames")

    films: tuple[str, ...] = ()  # real clips
    motions: tuple[str, ...] = SYNTHESISED  # synthesised clips
    methods: tuple[str, ...] = ()  # () takes all; portrait methods skip clips without a face
    frames: int = 12  # of each clip, at least 4

    @functools.cached_property
    def clips(self) -> Callable[[str], Clip]:
        """A function that reads a clip by name and caches the last one."""
        paths = {Path(path).stem: path for path in self.films}

        def read(name: str) -> Clip:
            return read_clip(paths[name], self.frames) if name in paths else synthesise(name, self.frames)

        return functools.lru_cache(maxsize=1)(read)

    def plan(self) -> list[dict]:
        methods = self.methods or tuple(METHODS)
        for name in methods:
            if name not in METHODS:
                raise UnknownNameError("method", name, METHODS)
        return [
            {"clip": clip, "method": method, "frames": self.frames}
            for clip in (*self.motions, *(Path(path).stem for path in self.films))
            for method in methods
            if method not in OF_FACES or shows_face(self.clips(clip).frames)
        ]

    def depends_on(self, **run: str) -> tuple:
        films = [Path(path) for path in self.films if Path(path).stem == run["clip"]]
        return films, weights_of(run["method"].partition(",")[0])

    def prepare(self, out: Path) -> Callable[..., list[dict]]:
        def judge(clip: str, method: str, frames: int) -> list[dict]:
            shown = self.clips(clip)
            drawings = METHODS[method](shown.frames)
            rows = flicker_rows(shown, drawings)
            return rows + head_rows(shown, drawings) if method in OF_FACES else rows

        return judge
