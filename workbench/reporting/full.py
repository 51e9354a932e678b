"""Reads a table of the full report (:mod:`workbench.studies.full_report`) for display."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pandas as pd
from PIL import Image

from workbench.core.errors import DatasetError
from workbench.core.runs import read_rows
from workbench.data.images import read_image
from workbench.studies.report_rows import KIND, Class, of_kind


class Report:
    """The rows of a full report by their kind, and its pictures.

    Args:
        table: of the study.
        root: folder of the pictures; None if the report may not show them.

    Raises:
        DatasetError: not a table of a full report.
    """

    def __init__(self, table: str | os.PathLike, root: str | os.PathLike | None = None):
        self.table = Path(table)
        self.root = None if root is None else Path(root)
        self._rows = read_rows(self.table)
        if not self._rows or KIND not in self._rows[0]:
            raise DatasetError(
                f"Expected rows with a {KIND} in {self.table.name} but there are none. Give the table of "
                "`workbench report full` or `workbench study full_report`."
            )

    @property
    def shows_pictures(self) -> bool:
        """Whether pictures may be shown."""
        return self.root is not None

    def rows(self, kind: type) -> pd.DataFrame:
        """The rows of a kind of :mod:`workbench.studies.report_rows`, with its fields as columns."""
        return of_kind(kind, self._rows)

    def one(self, kind: type) -> Any:
        """The only row of a kind.

        Raises:
            DatasetError: there is none.
        """
        for row in self.rows(kind).itertuples(index=False):
            return row
        raise DatasetError(f"Expected a row {kind.__name__} in {self.table.name} but there is none.")

    @property
    def classes(self) -> list[str]:
        """Names of the classes, sorted."""
        return self.rows(Class)["label"].tolist()

    def picture(self, path: str) -> Image.Image:
        """The picture at a path of the table, RGB."""
        if self.root is None:
            raise DatasetError("Expected a report that may show its pictures. Give their folder.")
        return read_image(self.root / path)

    def output_image(self, file: str) -> Image.Image:
        """An image that the study wrote beside its table, RGB."""
        return read_image(self.table.parent / file)
