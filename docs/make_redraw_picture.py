"""Make README's picture from free photographs: ``python docs/make_redraw_picture.py``."""

from pathlib import Path

from PIL import Image

from workbench.inference.stylize import stylize
from workbench.ui.examples import examples

WIDTH, HEIGHT = 420, 300
SHOWN = ("coffee", "chelsea", "astronaut")  # CC0 and public domain


def main() -> None:
    """Photo above, drawing below, three pairs."""
    chosen = [next(e for e in examples() if name in e.path.stem) for name in SHOWN]
    sheet = Image.new("RGB", (WIDTH * len(chosen) + 10 * (len(chosen) - 1), 2 * HEIGHT + 10), "white")
    for column, example in enumerate(chosen):
        photo = Image.open(example.path).convert("RGB")
        scale = max(WIDTH / photo.width, HEIGHT / photo.height)
        photo = photo.resize(
            (round(photo.width * scale), round(photo.height * scale)), Image.Resampling.LANCZOS
        )
        left = (photo.width - WIDTH) // 2
        photo = photo.crop((left, 0, left + WIDTH, HEIGHT))
        for row, picture in enumerate((photo, stylize(photo))):
            sheet.paste(picture, (column * (WIDTH + 10), row * (HEIGHT + 10)))
    sheet.save(Path(__file__).with_name("redraw.jpg"), quality=90)


if __name__ == "__main__":
    main()
