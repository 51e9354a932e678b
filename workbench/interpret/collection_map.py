"""A map of a collection: similar pictures lie close together, in one self-contained HTML file.

The page draws with Plotly's WebGL scatter; thumbnails appear as soon as few enough pictures are in view.

Source: van der Maaten and Hinton, Visualizing data using t-SNE, JMLR 2008.
"""

from __future__ import annotations

import base64
import dataclasses
import io
import itertools
import json
import math
import os
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image

from workbench.core.cells import guarded
from workbench.core.errors import DatasetError
from workbench.core.extras import require
from workbench.core.files import write_whole
from workbench.data.images import read_image
from workbench.data.neighbours import nearest
from workbench.interpret.embedding import Embeddings

__all__ = ["CollectionMap", "layout", "map_collection"]

THUMBNAIL = 96  # pixels of the longer side
NEIGHBOURS = 8


def layout(vectors: ArrayLike, seed: int = 0) -> NDArray[np.float64]:
    """(N, 2) positions in [0, 1] by t-SNE on the first 50 principal components; the same for the same seed.

    Args:
        vectors: (N, D). Fewer than 5 are laid out by their principal components.
        seed: of the t-SNE.
    """
    from sklearn.decomposition import PCA
    from sklearn.manifold import TSNE

    x = np.asarray(vectors, dtype=np.float64)
    if len(x) < 2 or not np.ptp(x, axis=0).any():
        return np.full((len(x), 2), 0.5)
    x = PCA(min(50, *x.shape), random_state=seed).fit_transform(x)
    if len(x) < 5:
        flat = np.pad(x, ((0, 0), (0, 2)))[:, :2]
    else:
        perplexity = min(30.0, (len(x) - 1) / 3)
        flat = TSNE(init="pca", perplexity=perplexity, random_state=seed).fit_transform(x).astype(np.float64)
    flat = flat - flat.min(0)
    return flat / max(float(flat.max()), 1e-12)


@dataclasses.dataclass(frozen=True)
class CollectionMap:
    """The page; displays itself in a notebook."""

    html: str
    places: NDArray[np.float64]  # (N, 2) of the pictures, in [0, 1]

    def save(self, path: str | os.PathLike) -> Path:
        """Write the page atomically."""
        write_whole(self.html.encode(), path)
        return Path(path)

    def _repr_html_(self) -> str:
        from html import escape

        style = "width:100%;height:720px;border:0"
        return f'<iframe title="Map of the collection" style="{style}" srcdoc="{escape(self.html)}"></iframe>'


def map_collection(
    folder: str | os.PathLike,
    embeddings: Embeddings,
    columns: Mapping[str, Sequence[Any]] | None = None,
    *,
    title: str = "Map of the collection",
    seed: int = 0,
) -> CollectionMap:
    """The map of embedded pictures.

    Args:
        folder: of the pictures.
        embeddings: of N pictures, by :func:`workbench.interpret.embedding.embed`.
        columns: N values each, texts or numbers, to colour and filter by: classes, measures …
        title: of the page.
        seed: of the layout.

    Raises:
        DatasetError: a column of another length, or vectors that are not finite.
        ImageError: a picture is not there any more.
    """
    columns = dict(columns or {})
    for name, values in columns.items():
        if len(values) != len(embeddings.paths):
            raise DatasetError(
                f"Expected {len(embeddings.paths)} values in the column {name} but got {len(values)}."
            )
    folders = [Path(path).parent.as_posix() for path in embeddings.paths]
    columns = {"folder": folders, **columns}
    try:
        near, _ = nearest(embeddings.vectors, NEIGHBOURS)
    except ValueError as error:
        raise DatasetError(str(error)) from error
    places = layout(embeddings.vectors, seed)
    columns = {name: [_plain(v) for v in values] for name, values in columns.items()}
    texts = {
        text
        for text in (*embeddings.paths, *columns, *itertools.chain(*columns.values()))
        if isinstance(text, str)
    }
    data = {
        "title": title,
        "paths": list(embeddings.paths),
        "x": places[:, 0].round(5).tolist(),
        "y": places[:, 1].round(5).tolist(),
        "thumbnails": [_thumbnail(read_image(Path(folder) / path)) for path in embeddings.paths],
        "neighbours": near.tolist(),
        "columns": columns,
        "guarded": {text: guarded(text) for text in sorted(texts) if guarded(text) != text},
    }
    return CollectionMap(_page(data), places)


def _plain(value: Any) -> str | float | None:
    """A text, a finite number, or None."""
    if isinstance(value, (bool, np.bool_)):
        return str(bool(value))
    if isinstance(value, (int, float, np.number)):
        return float(f"{float(value):.6g}") if math.isfinite(value) else None
    return None if value is None else str(value)


def _thumbnail(image: Image.Image) -> str:
    image = image.copy()
    image.thumbnail((THUMBNAIL, THUMBNAIL), Image.Resampling.BICUBIC, reducing_gap=2)
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=70)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()


def _page(data: Mapping[str, Any]) -> str:
    require("collection")
    from plotly.offline import get_plotlyjs

    # "<" is escaped so that no file name can end the script
    payload = json.dumps(data, ensure_ascii=False, allow_nan=False).replace("<", "\\u003c")
    template = files(__package__).joinpath("collection_map.html").read_text(encoding="utf-8")
    return template.replace("/*PLOTLY*/", get_plotlyjs(), 1).replace("/*DATA*/null", payload, 1)
