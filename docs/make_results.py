"""Write the tables of README.md and docs/results.md from reports/results: ``python docs/make_results.py``.

A table stands between ``<!-- NAME -->`` and ``<!-- /NAME -->``; what stands there is replaced. With
``--check`` nothing is changed, and a page that is out of date is an error.
"""

import csv
import json
import re
import statistics
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "reports" / "results"
PAGES = (ROOT / "README.md", ROOT / "docs" / "results.md")
Rows = list[list[str]]


def rows_of(name: str) -> list[dict[str, str]]:
    """The rows of a CSV under reports/results."""
    with (RESULTS / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def plus_minus(row: dict, column: str) -> str:
    """``94.0 ± 1.1``, or nothing."""
    return f"{float(row[column]):.1f} ± {float(row[f'{column}_error']):.1f}" if row[column] else ""


def scenes(style: str) -> Rows:
    """All rows of a scene style's own table."""
    head = ["pictures", "KID-lite0", "KID-lite1", "colour drift (ΔE2000)", "variation inside regions"]
    body = [
        [
            row["pictures"],
            plus_minus(row, "kid_lite0"),
            plus_minus(row, "kid_lite1"),
            f"{float(row['color_drift']):.2f}" if row["color_drift"] else "",
            row["region_variation"],
        ]
        for row in rows_of(f"{style}.csv")
    ]
    return [head, *body]


def drawings() -> Rows:
    """How close to its style each shipped network comes, beside the untouched photos."""
    found = [["network", "photos, untouched", "its drawings", "the style against itself"]]
    for style in ("fsgan_pepper", "fsgan_ink", "afgan_portrait"):
        rows = {row["pictures"]: row for row in rows_of(f"{style}.csv") if row.get("source", "all") == "all"}
        names = ("photos", style, "style against itself")
        found.append([f"`{style}`", *(plus_minus(rows[name], "kid_lite0") for name in names)])
    return found


def panel() -> Rows:
    """Mean rank of each stylizer by each question of the blind comparisons; 1 is best of three or four."""
    questions = ("overall", "drawn", "clean")
    ranks: dict[tuple[str, str], dict[str, list[int]]] = {}
    for row in rows_of("panel.csv"):
        of_one = ranks.setdefault((row["photos"], row["stylizer"]), {q: [] for q in questions})
        of_one[row["question"]].append(int(row["rank"]))
    means = {name: [statistics.mean(found[q]) for q in questions] for name, found in ranks.items()}
    ordered = sorted(means, key=lambda name: (not name[0].startswith("30"), not name[0].startswith("28"), means[name]))
    return [["photos", "mean rank of", *questions], *([*n, *(f"{m:.2f}" for m in means[n])] for n in ordered)]


def portraits() -> Rows:
    """The portrait network, its teacher and the untouched portraits."""
    head = [
        "portraits",
        "KID to anime faces",
        "mask IoU",
        "background PSNR",
        "skin lightness against the photo",
    ]
    found = [head]
    for row in rows_of("afgan_portrait.csv"):
        if row["source"] == "all" and row["pictures"] != "style against itself":
            drawn = row["pictures"] != "photos"
            r, shift = (float(row[f"skin_lightness_{name}"]) for name in ("correlation", "shift"))
            found.append(
                [
                    row["pictures"],
                    plus_minus(row, "kid_lite0"),
                    f"{float(row['mask_iou']):.3f}" if row["mask_iou"] else "",
                    f"{float(row['background_psnr']):.1f} dB" if row["background_psnr"] else "",
                    f"r {r:.3f}, {shift:+.1f} L*" if drawn else "",
                ]
            )
    return found


def costs(short: bool) -> Rows:
    """Speed and memory at 512 × 512 pixels, the fastest first."""
    networks = json.loads((RESULTS / "bench_stylizers.json").read_text(encoding="utf-8"))["networks"]
    head = [
        "network",
        "parameters",
        "GMACs",
        "seconds",
        "extra memory",
        "against AnimeGANv2",
        "against White-box",
    ]
    found = []
    for row in sorted(networks, key=lambda row: -row["ratio"]["512"]):
        cells = [f"{row['parameters'] / 1e6:.2f} M", f"{row['gmacs']['512']:.1f}"]
        cells += [f"{statistics.median(row['seconds']['512']):.3f}", f"{row['peak_mb']:.0f} MB"]
        cells += [f"{row['ratio']['512']:.1f}×", f"{row['whitebox_ratio']['512']:.1f}×"]
        found.append([row["name"], *cells])
    if short:
        keep = (0, 1, 3, 5)
        return [[line[i] for i in keep] for line in (head, *(r for r in found if "," not in r[0]))]
    return [head, *found]


METRICS = {
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced accuracy",
    "macro_f1": "macro-F1",
    "ece": "ECE",
    "log_loss": "log-loss",
    "log_loss_votes": "log-loss against votes",
}
MODELS = {
    "mood_statistics": "`mood_statistics`",
    "linear_probe_squeezed": "linear probe, picture squeezed",
    "linear_probe_views": "linear probe, same views",
    "mood_statistics - linear_probe_squeezed": "difference from the first probe",
    "mood_statistics - linear_probe_views": "difference from the second",
}


def moods(metrics: tuple[str, ...], models: tuple[str, ...]) -> Rows:
    """Scores of the mood classifier and of what it is compared with, with 95 % intervals."""
    found = {}
    for row in rows_of("mood_statistics_summary.csv"):
        sign = "+" if " - " in row["model"] else ""
        low, high = (f"{float(row[name]):{sign}.3f}" for name in ("low", "high"))
        found[row["model"], row["metric"]] = f"{float(row['estimate']):{sign}.3f} ({low} to {high})"
    head = ["", *(MODELS[model] for model in models)]
    return [head, *([METRICS[m], *(found[model, m] for model in models)] for m in metrics)]


TABLES = {
    "drawings": drawings,
    "panel": panel,
    "speed": lambda: costs(short=True),
    "moods": lambda: moods(("accuracy", "balanced_accuracy", "log_loss"), tuple(MODELS)[:3]),
    "fsgan_pepper": lambda: scenes("fsgan_pepper"),
    "fsgan_ink": lambda: scenes("fsgan_ink"),
    "portraits": portraits,
    "costs": lambda: costs(short=False),
    "all_moods": lambda: moods(tuple(METRICS), tuple(MODELS)),
}


def table(rows: Rows) -> str:
    """A table in Markdown."""
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join([lines[0], "|" + "---|" * len(rows[0]), *lines[1:]])


def filled(text: str) -> str:
    """A page with its tables as the results have them."""
    for name, make in TABLES.items():
        whole = rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)"
        text = re.sub(whole, lambda m, make=make: f"{m[1]}{table(make())}\n{m[2]}", text, flags=re.S)
    return text


if __name__ == "__main__":
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        if "--check" in sys.argv and filled(text) != text:
            sys.exit(f"{page.name} is out of date: run python docs/make_results.py")
        page.write_text(filled(text), encoding="utf-8")
