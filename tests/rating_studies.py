"""Small rating studies for the tests."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from workbench.rating import load

SCALES = """
[[scales]]
name = "calm"
question = "How calm is it?"
low = "not"
high = "very"
[[scales]]
name = "pleasure"
kind = "sam"
question = "How pleasant?"
[[scales]]
name = "mood"
kind = "mood"
question = "Which mood?"
"""
PAIRS = """
[[scales]]
name = "calmer"
kind = "preference"
question = "Which is calmer?"
"""


def write_study(folder: Path, settings: str = "", scales: str = SCALES, pictures: int = 4) -> Path:
    """A study file beside a folder of plain pictures of different gray."""
    (folder / "pictures").mkdir(parents=True, exist_ok=True)
    for i in range(pictures):
        Image.new("RGB", (60, 40), (40 * i % 256,) * 3).save(folder / "pictures" / f"{i}.png")
    text = f'title = "A study"\nconsent = "I agree."\npictures = "pictures"\nseed = 1\n{settings}\n{scales}'
    path = folder / "study.toml"
    path.write_text(text, encoding="utf-8")
    return path


def study(folder: Path, *arguments, **options):
    """The study of :func:`write_study`."""
    return load(write_study(folder, *arguments, **options))
