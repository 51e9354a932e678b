"""The readings and measures of many pictures as a table, to sort and to put two beside each other."""

from __future__ import annotations

import html
import json
from typing import Any

from workbench.interpret.measuring import MEASURES
from workbench.service.platform import JobView, Platform
from workbench.service.tasks import SHEET_COLUMNS, THUMBNAIL, cell_side
from workbench.service.web import result_url
from workbench.ui.moods import shown

MOST_ROWS = 500  # on the page; the files have all
_SIDE = 72  # pixels of a small picture in the table


def of_job(platform: Platform, owner: str, view: JobView) -> str:
    """The table of a finished job of the kind ``read_pictures``."""
    path = platform.result(owner, view.id, "readings.json")
    return table(json.loads(path.read_text(encoding="utf-8")), result_url(view.id, f"readings{THUMBNAIL}"))


def table(rows: list[dict[str, Any]], sheet: str) -> str:
    """The table as HTML.

    Args:
        rows: of ``readings.json``.
        sheet: address of the picture that shows all, in the order of the rows.
    """
    errors = [row for row in rows if row.get("error")]
    rows = [row for row in rows if not row.get("error")]
    moods = [key for key in rows[0] if key.startswith("p_")] if rows else []
    measures = [key for key in rows[0] if key in MEASURES] if rows else []
    heads = ["File", "Mood", *(shown(key[2:]) for key in moods), "Unlike", "Unsure", *map(shown, measures)]
    head = '<th scope="col">Compare</th><th scope="col">Picture</th>' + "".join(
        f'<th scope="col"><button type="button">{html.escape(words)}</button></th>' for words in heads
    )
    body = "".join(
        _row(number, row, moods, measures, _cell(number, len(rows), sheet))
        for number, row in enumerate(rows[:MOST_ROWS])
    )
    left = (
        f"The first {MOST_ROWS} of {len(rows)}; the files above have all. " if len(rows) > MOST_ROWS else ""
    )
    missing = "".join(
        f"<li>{html.escape(row['path'])}: {html.escape(str(row['error']))}</li>" for row in errors[:MOST_ROWS]
    )
    passed = f"<details><summary>{len(errors)} passed over</summary><ul>{missing}</ul></details>"
    return (
        '<section class="card folder" aria-label="Moods and measures">'
        f'<p class="fine">{left}Press a column’s head to sort by it. Tick two pictures to see them side by '
        "side. Moods of pictures marked as unlike the training pictures mean little, and where the model is "
        "unsure the next mood may be as right.</p>"
        f'{passed if errors else ""}<div class="beside scroll"></div><div class="scroll" tabindex="0" '
        f'role="region" aria-label="Table of pictures"><table class="rows"><thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div></section>"
    )


def _row(number: int, row: dict[str, Any], moods: list[str], measures: list[str], cell: str) -> str:
    name = html.escape(row["path"])
    values = [_number(row.get(key), ".0%") for key in moods]
    novelty = row["novelty"]
    answer = "–" if novelty is None else "yes" if row["unlike"] else ""  # a model that cannot tell says so
    unlike = f'<td data-value="{"nan" if novelty is None else float(novelty)}">{answer}</td>'
    doubt = row.get("unsure")  # tables of earlier versions do not have it
    said = "–" if doubt is None else "yes" if doubt else ""
    unsure = f'<td data-value="{"nan" if doubt is None else int(doubt)}">{said}</td>'
    rest = "".join(_number(row.get(key), ".3g") for key in measures)
    return (
        f'<tr><td><input type="checkbox" aria-label="Compare {name}"></td><td>{cell}</td>'
        f'<th scope="row" title="{name}" translate="no">{name}</th><td>{html.escape(shown(row["mood"]))}</td>'
        f"{''.join(values)}{unlike}{unsure}{rest}</tr>"
    )


def _number(value: float | None, form: str) -> str:
    if value is None:
        return '<td data-value="nan">–</td>'
    return f'<td data-value="{value:.6g}">{format(value, form).replace("%", " %")}</td>'


def _cell(number: int, count: int, sheet: str) -> str:
    """One picture of the sheet, cut out by the browser."""
    row, column = divmod(number, SHEET_COLUMNS)
    wide = min(SHEET_COLUMNS, count)
    return (
        f'<span class="cell" role="img" aria-label="" style="--side:{cell_side(count)}px;--wide:{wide};'
        f'--column:{column};--row:{row};background-image:url({sheet})"></span>'
    )


CSS = f"""
.folder .cell {{ display: block; --shown: {_SIDE}px; width: var(--shown); height: var(--shown);
  background-size: calc(var(--wide) * var(--shown)) auto; background-repeat: no-repeat;
  background-position: calc(var(--column) * -1 * var(--shown)) calc(var(--row) * -1 * var(--shown)); }}
.folder .cell.large {{ --shown: min(var(--side), 38vw); }}
.folder .scroll {{ max-height: 70vh; overflow: auto; margin-top: .8rem; }}
.folder .beside:empty {{ display: none; }}
.folder thead th {{ position: sticky; top: 0; z-index: 1;
  background: var(--block-background-fill) !important; }}
.folder th button {{ border: 0; padding: 0; background: none; font: inherit; color: inherit;
  cursor: pointer; text-align: left; }}
.folder th[aria-sort=ascending] button::after {{ content: " ▲" / ""; }}
.folder th[aria-sort=descending] button::after {{ content: " ▼" / ""; }}
.folder .scroll > table :is(th, td):nth-child(3) {{ position: sticky; left: 0; padding-left: .4rem !important;
  background: var(--block-background-fill) !important; }}
.folder thead th:nth-child(3) {{ z-index: 2; }}
.folder tbody th {{ max-width: 14rem; overflow: hidden; text-overflow: ellipsis; }}
@media (max-width: 640px) {{  /* else the moods lie beyond the edge */
  .folder .cell:not(.large) {{ --shown: 44px; }}
  .folder .scroll > table :is(th, td):nth-child(-n + 3) {{ padding-right: .5rem !important; }}
  .folder tbody th {{ max-width: 6.5rem; }}
}}
.map-frame {{ width: 100%; height: min(760px, 85vh); border: 1px solid var(--block-border-color);
  border-radius: .6rem; background: #fff; }}
"""
