"""Drawn paintings of two classes that differ in hue, each by several painters."""

import csv

import numpy as np
from PIL import Image

CLASSES = {"warm": (200, 90, 40), "cold": (40, 90, 200)}


def write_hues(root, count, painters, shape):
    """``count`` pictures of ``shape`` (H, W) a class, dealt among ``painters``, with their ratings.csv."""
    rng = np.random.default_rng(0)
    rows = []
    for label, hue in CLASSES.items():
        (root / label).mkdir()
        for i in range(count):
            noise = rng.integers(-40, 40, size=(*shape, 1))
            pixels = (np.array(hue) + noise).clip(0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(root / label / f"{i}.png")
            rows.append({"path": f"{label}/{i}.png", "label": label, "painter": f"{label}{i % painters}"})
    with (root / "ratings.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return root
