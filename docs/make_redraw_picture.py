"""Make README's picture from free pictures: ``python docs/make_redraw_picture.py``.

Above, photographs and what the stylizer makes of them; below, a painting by the atelier, the moods that the
classifier reads in it, and where it looked.
"""

from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image, ImageOps

from workbench.classify.classifier import Classifier, Reading
from workbench.data.images import read_image
from workbench.styles.stylize import DEFAULT_STYLE, stylize
from workbench.ui.examples import examples, paintings

SHOWN = {  # CC0 and public domain; how each is redrawn
    "coffee": DEFAULT_STYLE,
    "chelsea": "fsgan_anime",
    "astronaut": "drawn_portrait",
}
MOOD = "elegance"  # of the atelier's painting
INK, SEAL, PALE, GRAY = "#1d1b19", "#b03a24", "#d9cfc0", "#5b554e"
WIDTH, HEIGHT, DPI = 12.8, 9.85, 125  # inches; 1600 px wide


def photographs() -> list[Image.Image]:
    """The photographs, cropped to one format."""
    chosen = [next(e for e in examples() if name in e.path.stem) for name in SHOWN]
    return [ImageOps.fit(read_image(e.path), (640, 480), centering=(0.5, 0.3)) for e in chosen]


def show(axes: Axes, picture: Image.Image) -> None:
    """A picture without a frame."""
    axes.imshow(picture, interpolation="lanczos")
    axes.set_axis_off()


def bars(axes: Axes, reading: Reading) -> None:
    """The moods, the likeliest first."""
    moods = sorted(reading.probabilities.items(), key=lambda item: item[1])
    names, shares = [name for name, _ in moods], [share for _, share in moods]
    axes.barh(names, [1] * len(moods), color="#f3f0ea", height=0.5)
    axes.barh(names, shares, color=[SEAL if name == reading.top else PALE for name in names], height=0.5)
    for y, share in enumerate(shares):
        axes.text(1.03, y, f"{100 * share:.0f} %", va="center", color=INK, fontsize=11)
    axes.set_xlim(0, 1.15)
    axes.set_xticks([])
    axes.tick_params(axis="y", length=0, labelsize=12, labelcolor=INK)
    axes.spines[:].set_visible(False)


def title(axes: Axes, text: str) -> None:
    """What a picture is, above it."""
    axes.set_title(text, loc="left", fontsize=11.5, color=GRAY, pad=5)


def main() -> None:
    """Draw and save the picture beside this file."""
    figure = Figure(figsize=(WIDTH, HEIGHT), dpi=DPI, facecolor="white")
    above, below = figure.add_gridspec(
        2, 1, height_ratios=[2.02, 1], left=0.005, right=0.995, top=0.968, bottom=0.008, hspace=0.09
    )
    pairs = above.subgridspec(2, len(SHOWN), wspace=0.02, hspace=0.02)
    for column, (photo, style) in enumerate(zip(photographs(), SHOWN.values(), strict=True)):
        top, bottom = (figure.add_subplot(pairs[row, column]) for row in (0, 1))
        show(top, photo)
        show(bottom, stylize(photo, style))
        if column == 0:
            title(top, "Photographs, and the same redrawn")

    painting = read_image(paintings()[MOOD])
    classifier = Classifier.load("mood_statistics")
    reading = classifier.classify(painting)
    cells = below.subgridspec(1, 3, width_ratios=[1, 1, 1.35], wspace=0.05)
    left, middle, right = (figure.add_subplot(cell) for cell in cells)
    show(left, painting)
    title(left, "A painting")
    show(middle, classifier.explain(painting, reading.top).overlay)
    title(middle, f"What spoke for {reading.top}")
    bars(right, reading)
    title(right, "The mood that the model reads")
    box = right.get_position()
    right.set_position([box.x0 + 0.085, box.y0 + 0.02, box.width - 0.085, box.height - 0.04])
    figure.savefig(Path(__file__).with_name("redraw.jpg"), pil_kwargs={"quality": 90})


if __name__ == "__main__":
    main()
