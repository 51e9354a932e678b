"""Options of a report, apart from the code that makes it, so that the command line loads quickly."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Annotated

from workbench.core.options import Range


@dataclasses.dataclass(frozen=True, kw_only=True)
class ReportOptions:
    """Options of ``workbench report``. Paths are as the user gave them."""

    data: str = ""  # folder of pictures: one sub-folder per class, or with a table; or atelier:N
    ratings: Path | None = None  # CSV: path, label, painter, votes_CLASS …; by default ratings.csv in DATA
    group_by: str | None = None  # column whose pictures stay together, or near-duplicates
    skip_unreadable: bool = False  # leave out files that cannot be read instead of refusing the folder
    results: str = ""  # CSV of an earlier run (several: separated by commas): draw it instead of running
    pictures: bool = True  # show the folder's pictures; without them the report has numbers and plots only
    minutes: Annotated[float, Range(0)] = 0.0  # stop after these; what is finished is kept. 0 has no limit
    work: Path | None = None  # folder for tables and what is finished; by default in the user's cache
