"""Base classes of the studies, their runner and their registry.

    @register
    @dataclasses.dataclass(frozen=True)
    class BrushWidth(TableStudy):
        \"\"\"How wide are brushes?\"\"\"

        keys = ("painter",)  # columns that identify a run
        sources = ("data",)  # options whose contents count, not their paths
        data: str = "atelier:60"  # a folder of paintings, or "atelier:N"

        def plan(self): return [{"painter": name} for name in …]
        def prepare(self, out): return lambda painter: {"width": …}

    BrushWidth(data="paintings").run("runs/brush")

The fields are the study's options, with a comment each: ``workbench study brush_width`` makes its flags of
them. :meth:`TableStudy.run` does every run of the plan that the table lacks under the current data, settings
and version. Another package adds studies through the entry-point group ``workbench.studies``.
"""

from __future__ import annotations

import abc
import dataclasses
import functools
import logging
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from workbench.classify.summary import compare
from workbench.classify.validation import Variant
from workbench.core.cache import digest
from workbench.core.cache import key as content_key
from workbench.core.registry import Decorated, Registry
from workbench.core.runs import KEY, Runs, read_rows, set_aside
from workbench.data.atelier import open_dataset
from workbench.data.duplicates import Pictures, group_near_duplicates
from workbench.data.images import list_images
from workbench.data.paintings import NEAR_DUPLICATES, Paintings

log = logging.getLogger(__name__)

Rows = Mapping | list[Mapping] | list[dict]


class Study(abc.ABC):
    """One question, and the tables that answer it. Subclasses are frozen dataclasses of their options."""

    name: ClassVar[str]  # of the study, its table and its module
    version: ClassVar[int] = 1  # raise it whenever the same input gives another result
    keys: ClassVar[tuple[str, ...]] = ()  # columns of the table that identify a run
    sources: ClassVar[tuple[str, ...]] = ()  # options that name files or folders: their contents count
    selection: ClassVar[tuple[str, ...]] = ()  # options that choose runs without changing their results

    @classmethod
    def question(cls) -> str:
        """The first paragraph of its docstring."""
        return " ".join((cls.__doc__ or "").partition("\n\n")[0].split())

    @abc.abstractmethod
    def run(self, out: str | os.PathLike) -> Path:
        """Do the runs that the folder ``out`` lacks; return the path of the table."""

    @functools.cached_property
    def content_key(self) -> str:
        """Digest of the options, the contents of the sources and the study's version."""
        fields = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}  # type: ignore[arg-type]
        settings = {k: v for k, v in fields.items() if k not in (*self.sources, *self.selection)}
        contents = {k: _contents(fields[k]) for k in self.sources}
        return content_key(self.name, self.version, settings, contents=contents)

    def depends_on(self, **run: str) -> Any:
        """What one run depends on besides options and sources, e.g. weights. Its values are texts."""
        return None

    def runs(self, out: str | os.PathLike, suffix: str = "", keys: Sequence[str] | None = None) -> Runs:
        """The table in the folder ``out`` (or the CSV ``out``), or one beside it, with valid rows only.

        A table beside it with the same key columns has details of the same runs, and depends on the same.
        """

        def key_of(run: Mapping[str, str]) -> str:
            own = None if keys else self.depends_on(**run)
            return self.content_key if own is None else f"{self.content_key}-{digest(own)[:12]}"

        path = Path(out)
        if path.suffix != ".csv" or suffix:
            path = path / f"{self.name}{suffix}.csv"
        return Runs(path, keys or self.keys, content_key=key_of)


class TableStudy(Study):
    """A study that adds the rows of one run at a time to its table."""

    @abc.abstractmethod
    def plan(self) -> Iterable[Mapping]:
        """The runs in their order, each a mapping of the key columns."""

    @abc.abstractmethod
    def prepare(self, out: Path) -> Callable[..., Rows]:
        """Do what all runs share; return a function that computes the rows of a run from its key columns."""

    def summarise(self, out: Path) -> None:
        """Write further tables after the last run."""

    def run(self, out: str | os.PathLike) -> Path:
        """Do the missing runs and write the summary; return the path of the table."""
        plan, table = list(self.plan()), self.runs(out)
        out = table.path.parent
        prepared = functools.cache(lambda: self.prepare(out))
        table.do(plan, lambda **run: prepared()(**run), desc=self.name.replace("_", " "))
        self.summarise(out)
        return table.path


class ComparisonStudy(Study):
    """A study that cross-validates several estimators on the same folds.

    It writes one row per fold, the predictions for every picture, and the comparison
    (:func:`workbench.classify.summary.compare`). Subclasses have the options ``data``, ``split_seeds`` and
    ``samples``.
    """

    baseline: ClassVar[str]  # label of the estimator that the others are compared with
    data: Any  # a folder of labelled pictures or atelier:N, or several
    split_seeds: tuple[int, ...]
    samples: int
    config: Any

    @abc.abstractmethod
    def estimators(self, out: Path) -> Mapping[str, Variant]:
        """The estimators by label."""

    def folds_per_split(self) -> int:
        """Number of folds of each cross-validation; by default that of the option ``config``."""
        return self.config.folds

    def run(self, out: str | os.PathLike) -> Path:
        """Cross-validate and write the tables; tables of other data or settings are renamed and kept."""
        return self.compare(self.name, Path(out), open_dataset(self.data))

    def compare(self, name: str, out: Path, paintings: Paintings) -> Path:
        """Write the three tables of one collection, whose near-duplicates share a group if no painters are
        known (:func:`grouped`)."""
        paintings, key = grouped(paintings), self.content_key
        if paintings.grouped_by == NEAR_DUPLICATES:
            key += "-grouped"
        if any(row.get(KEY) != key for row in read_rows(out / f"{name}.csv")):
            for suffix in ("", "_predictions", "_summary"):
                if (path := out / f"{name}{suffix}.csv").is_file():
                    log.warning(
                        "%s is of other data or settings: kept as %s.", path.name, set_aside(path).name
                    )
        return compare(
            name,
            out,
            paintings,
            self.estimators(out),
            self.baseline,
            folds=self.folds_per_split(),
            split_seeds=self.split_seeds,
            samples=self.samples,
            stamp={KEY: key},
        )


def grouped(pictures: Pictures) -> Pictures:
    """The same pictures in groups that no split may divide: painters, or near-duplicates for want of them."""
    if pictures.grouped_by:
        return pictures
    log.warning("Near-duplicates share a group in this study, in place of painters.")
    return group_near_duplicates(pictures)


def collection_name(source: str) -> str:
    """Name of a collection in tables: "atelier", or the name of its folder."""
    return str(source).split(":")[0] if str(source).startswith("atelier") else Path(source).resolve().name


def _contents(value: Any) -> Any:
    """The contents of a source: pictures with their table, or a file; "" and "atelier:N" as they are.

    Everything in a folder without pictures counts. In a folder of pictures other files do not, since a study
    may have written them.
    """
    if isinstance(value, (str, Path)) and str(value):
        path = Path(value)
        pictures = list_images(path) if path.is_dir() else []
        tables = [table for table in [path / "ratings.csv"] if pictures and table.is_file()]
        named = {file.relative_to(path).as_posix(): file for file in [*pictures, *tables]}
        return named or (path if path.exists() else str(value))
    if isinstance(value, (list, tuple)):
        return [_contents(item) for item in value]
    return value


class _Studies(Registry[type[Study]]):
    """Studies, named after their modules."""

    def own(self) -> dict[str, Decorated]:
        """Modules of the project's own studies, which are not imported."""
        return {entry.module.rpartition(".")[2]: entry for entry in super().own().values()}

    def register(self, entry: type[Study]) -> type[Study]:
        """Decorator: register a study under the name of its module."""
        entry.name = entry.__module__.rpartition(".")[2]
        return self.add(entry.name, entry)


def _is_study(name: str, entry: Any) -> None:
    if not (isinstance(entry, type) and issubclass(entry, Study) and dataclasses.is_dataclass(entry)):
        raise TypeError(f"Expected {name} to be a dataclass that derives from Study but got {entry!r}.")
    if not hasattr(entry, "name"):
        entry.name = name


STUDIES = _Studies("study", package="workbench.studies", group="workbench.studies", check=_is_study)
register = STUDIES.register
