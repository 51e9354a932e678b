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

from workbench.metrics.bootstrap import bootstrap
from workbench.metrics.checks import weighted_mean

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "reports" / "results"
WEIGHTS = ROOT / "workbench" / "weights"
READERS = ("mood_statistics", "mood_lite0")
PAGES = (ROOT / "README.md", ROOT / "docs" / "results.md")
Rows = list[list[str]]


def rows_of(name: str) -> list[dict[str, str]]:
    """The rows of a CSV under reports/results."""
    with (RESULTS / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def within(row: dict, column: str, form: str = ".1f") -> str:
    """``94.0 (85.1 to 103.2)``; without an interval, or with one that has no width (a photo compared with
    itself), the number alone; not measured nothing."""
    if not row[column]:
        return ""
    low, high = (row.get(f"{column}_{end}") for end in ("low", "high"))
    value = f"{float(row[column]):{form}}"
    return f"{value} ({float(low):{form}} to {float(high):{form}})" if low and high and low != high else value


def stylizers() -> Rows:
    """How near every stylizer comes to a style that none of them was shown, and what it does to a photo."""
    columns = {
        "kid_lite0": ("KID-lite0", ".1f"),
        "kid_lite0_less_photo": ("less the photos', paired", "+.1f"),
        "edge_f1": ("edge F1", ".2f"),
        "color_drift": ("colour drift (ΔE2000)", ".1f"),
        "region_variance": ("variance inside regions", ".0f"),
    }
    found = [["", "pictures", *(title for title, _ in columns.values())]]
    for row in rows_of("stylizers.csv"):
        if not row["photos"]:  # a network without weights has costs only
            continue
        cells = [
            "" if (row["stylizer"], name) == ("photo", "kid_lite0_less_photo") else within(row, name, form)
            for name, (_, form) in columns.items()
        ]
        found.append([row["stylizer"], row["photos"], *cells])
    return found


def stylizer_pairs() -> Rows:
    """Each trained style less the photo and every other stylizer, on the same photos and episodes; bold where
    p is below .05 after Holm's correction.
    """
    columns = {"kid_lite0": ("KID-lite0", "+.1f"), "spectral_distance": ("spectral distance (nats)", "+.3f")}
    rows = rows_of("stylizers_pairs.csv")
    firsts, others = (list(dict.fromkeys(row[k] for row in rows)) for k in ("stylizer", "other"))
    others.sort(key=lambda name: name in firsts)  # the four themselves come last
    found = [["by", "less", "photos", *firsts]]
    for metric, (title, form) in columns.items():
        for other in others:
            pairs = {r["stylizer"]: r for r in rows if (r["metric"], r["other"]) == (metric, other)}
            cells = {name: within(pair, "difference", form) for name, pair in pairs.items()}
            cells |= {name: f"**{cells[name]}**" for name, r in pairs.items() if float(r["p_holm"]) < 0.05}
            photos = {pair["photos"] for pair in pairs.values()}
            found.append([title, other, *photos, *(cells.get(name, "") for name in firsts)])
    return found


def panel() -> Rows:
    """Mean rank of each stylizer by each question of the blind comparisons; 1 is best of three or four."""
    ranks: dict[tuple[str, str], dict[str, list[int]]] = {}
    for row in rows_of("panel.csv"):
        of_one = ranks.setdefault((row["photos"], row["stylizer"]), {q: [] for q in QUESTIONS})
        of_one[row["question"]].append(int(row["rank"]))
    means = {name: [statistics.mean(found[q]) for q in QUESTIONS] for name, found in ranks.items()}
    means = {(photos, FORMER.get(name, name)): found for (photos, name), found in means.items()}
    ordered = sorted(
        means, key=lambda name: (name[0] != NEWEST_PANEL, -int(name[0][:2]), name[0], means[name])
    )
    return [["photos", "mean rank of", *QUESTIONS], *([*n, *(f"{m:.2f}" for m in means[n])] for n in ordered)]


def judged_rows() -> dict[tuple[str, str, str], dict[str, int]]:
    """Ranks by stylizer, of each sheet, photo and question."""
    ranks: dict[tuple[str, str, str], dict[str, int]] = {}
    for row in rows_of("panel.csv"):
        judged = row["photos"], row["photo"], row["question"]
        ranks.setdefault(judged, {})[row["stylizer"]] = int(row["rank"])
    return ranks


def preferred(styles: tuple[str, ...], both_forms: bool = False) -> Rows:
    """How often judges ranked these styles before the published network: share of photos, with an interval
    over photos, and the least and largest share by a single judge; on sheets that show ``both_forms`` of the
    comics, with shapes and without, or on the others."""
    found = [["style", "judges", *(f"{q}: share before White-box" for q in QUESTIONS)]]
    ranks = {
        key: of for key, of in judged_rows().items() if both_forms == ({CUT[0], CUT[0] + UNCUT} <= set(of))
    }
    for style in styles:
        cells, judges = [], 0
        for question in QUESTIONS:
            won = {
                (sheet, photo): float(of[style] < of[PUBLISHED])
                for (sheet, photo, asked), of in ranks.items()
                if sheet.startswith(NEWEST_PANEL) and asked == question and {style, PUBLISHED} <= set(of)
            }
            share = bootstrap(weighted_mean, list(won.values()), groups=[photo for _, photo in won])
            sheets = {sheet for sheet, _ in won}
            single = [statistics.mean(v for k, v in won.items() if k[0] == sheet) for sheet in sheets]
            judges = len(sheets)
            whole = f"{share.estimate:.2f} ({share.low:.2f} to {share.high:.2f})"
            cells.append(f"{whole}; {min(single):.2f} to {max(single):.2f}")
        found.append([style, str(judges), *cells])
    return found


def beside_peers() -> Rows:
    """In how many rows judges ranked our styles before both networks trained here, and before a drawing."""
    ranks = {row: of for row, of in judged_rows().items() if PEERS in row[0]}
    styles = dict.fromkeys(name for of in ranks.values() for name in of if name.startswith("fsgan_"))
    heads = (f"{q}: before both, before the drawing" for q in QUESTIONS)
    found = [["style", "drawing beside it", "judged rows", *heads]]
    for style in styles:
        (drawing,) = {name for of in ranks.values() if style in of for name in of if _is_drawing(name)}
        cells, rows = [], 0
        for question in QUESTIONS:
            of_style = [of for (_, _, asked), of in ranks.items() if asked == question and style in of]
            peers = [min(rank for name, rank in of.items() if "trained here" in name) for of in of_style]
            drawn = [of[drawing] for of in of_style]
            won = [sum(of[style] < r for of, r in zip(of_style, x, strict=True)) for x in (peers, drawn)]
            cells.append(f"{won[0]}, {won[1]}")
            rows = len(of_style)
        found.append([style, BESIDE[style, drawing], str(rows), *cells])
    return found


def _is_drawing(name: str) -> bool:
    return name.startswith(("drawn_", "teacher of"))


def beside_before() -> Rows:
    """In how many rows judges ranked our styles before their previous weights, and before their teacher."""
    heads = (f"{q}: before its weights of before, before its teacher" for q in QUESTIONS)
    found = [["style", "judged rows", *heads]]
    for style, before in (("fsgan_comic", "second"), ("fsgan_anime", "second"), ("fsgan_ink", "third")):
        judged = f"{style}{UNCUT}" if style in CUT else style
        found.append([judged, *rows_won(judged, (f"{style}, {before} weights", f"teacher of {style}"))])
    return found


def beside_uncut() -> Rows:
    """In how many rows judges ranked drawings with shapes before those of the same weights without, by the
    kind of sheet."""
    found = [["style", "photos", "judged rows", *QUESTIONS]]
    for style in CUT:
        for sheet, photos in BOTH_FORMS.items():
            counted = rows_won(style, (f"{style}{UNCUT}",), sheet)
            if counted[0] != "0":
                found.append([style, photos, *counted])
    return found


def rows_won(style: str, others: tuple[str, ...], sheet: str = "") -> list[str]:
    """The number of judged rows of these sheets that show ``style`` and all others; for each question in how
    many of them it was ranked before each other."""
    ranks, cells, rows = {key: of for key, of in judged_rows().items() if key[0].startswith(sheet)}, [], 0
    for question in QUESTIONS:
        both = [of for (_, _, q), of in ranks.items() if q == question and {style, *others} <= set(of)]
        cells.append(", ".join(str(sum(of[style] < of[other] for of in both)) for other in others))
        rows = len(both)
    return [str(rows), *cells]


def changes() -> Rows:
    """How far each shipped style takes the page's examples from their photos; the first of them is a cup."""
    cup = {r["stylizer"]: r for r in rows_of("stylizers_examples_pictures.csv") if r["photo"] == "coffee"}
    measures = {"color_difference_76": ".1f", "color_difference": ".1f", "line_share": ".3f"}
    found = [["", *(f"{what}: {m}" for what in ("six examples", "the cup") for m in CHANGES)]]
    for row in rows_of("stylizers_examples.csv"):
        if row["stylizer"] in cup:
            shown = ((of, m) for of in (row, cup[row["stylizer"]]) for m in measures)
            found.append([row["stylizer"], *(f"{float(of[m]):{measures[m]}}" for of, m in shown)])
    return found


YARDSTICKS = {
    "color_drift": "colour drift",
    "lost_edges": "lost edges",
    "variation": "variation inside regions",
    "sharpness": "hard steps",
    "line_share": "share of line pixels",
    "line_depth": "darkness of lines",
    "line_continuity": "long lines",
    "line_thinness": "thin lines",
    "false_lines": "lines where the photo is smooth",
    "photo_or_drawing": "photo-or-drawing probe",
    "kid_lite0": "KID-lite0 to the comic",
}


def yardsticks() -> Rows:
    """Rank correlation of each measure with being preferred: of sheets, and of the stylizers' means."""
    rows = {(row["measure"], row["question"]): row for row in rows_of("yardsticks.csv")}
    found = [["", *(f"{q}: {what}" for q in QUESTIONS for what in ("sheets", "means"))]]
    for measure, words in YARDSTICKS.items():
        cells = []
        for question in QUESTIONS:
            row = rows[measure, question]
            sheets = "{:+.2f} ({:+.2f} to {:+.2f}); {:+.2f}"
            columns = ("correlation", "low", "high", "correlation_without_one")
            cells.append(sheets.format(*(float(row[c]) for c in columns)) if row["correlation"] else "")
            cells.append(
                "{:+.2f}; {:+.2f}".format(*(float(row[c]) for c in ("of_means", "of_means_without_one")))
            )
        found.append([words, *cells])
    return found


def likeness() -> Rows:
    """How much of a person stays in each style's drawings, and how drawn they are."""
    head = {
        "landmarks": "landmarks moved",
        "skin": "skin ΔE",
        "hair": "hair",
        "eyes": "eyes",
        "beard": "mouth, beard",
        "lost": "no face found",
        "ink": "ink",
        "roughness": "roughness",
    }
    found = [["style", "skin tone", "people", *head.values()]]
    for row in rows_of("likeness.csv"):
        values = [f"{float(row[m]):.3f}" if row[m] else "" for m in head]
        values[1] = (
            f"{float(row['skin']):.1f} ({float(row['skin_low']):.1f} to {float(row['skin_high']):.1f})"
        )
        found.append([row["style"], row["tone"], row["people"], *values])
    return found


def faces() -> Rows:
    """Recall and false alarms of the detector and of the cascade before it."""
    rows = {(row["condition"], row["detector"]): row for row in rows_of("face_detection.csv")}
    found = [["condition", "people", "recall", "of the cascade", "false alarms a picture", "of the cascade"]]
    for condition in dict.fromkeys(name for name, _ in rows):
        pair = [rows[condition, detector] for detector in ("networks", "cascade")]
        measures = (row[m] for m in ("recall", "false_alarms") for row in pair)
        found.append([condition, pair[0]["people"], *measures])
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
MODELS = {  # each adds something to the one before
    "linear_probe_squeezed": "linear probe, picture squeezed",
    "linear_probe_views": "linear probe, seven views",
    "soft_probe_views": "fitted to votes, too",
    "stage_statistics_one_network": "statistics of all stages",
    "stage_statistics_all_networks": "and of a second network",
    "mood_statistics": "and covariances: `mood_statistics`",
}


def moods(metrics: tuple[str, ...]) -> Rows:
    """Scores of the mood classifier and of each step on the way to it, with 95 % intervals."""
    found = {}
    for row in rows_of("mood_statistics_summary.csv"):
        low, high = (f"{float(row[name]):.3f}" for name in ("low", "high"))
        found[row["model"], row["metric"]] = f"{float(row['estimate']):.3f} ({low} to {high})"
    head = ["", *(METRICS[metric] for metric in metrics)]
    return [head, *([MODELS[model], *(found[model, m] for m in metrics)] for model in MODELS)]


NOVELTY = {
    "scene_photos": "photos of scenes",
    "portrait_photos": "photos of people",
    "western_style": "western paintings",
    "children_emotion": "children's drawings",
    "atelier": "painted by the atelier",
}


def unsure() -> Rows:
    """How often each mood classifier is unsure of a held-out painting, and right then and otherwise."""
    found = [["", "unsure", "right when unsure", "right otherwise"]]
    for model in READERS:
        metrics = json.loads((WEIGHTS / f"{model}.json").read_text(encoding="utf-8"))["metrics"]
        scores = (metrics[name] for name in ("unsure", "right_if_unsure", "right_if_sure"))
        found.append([model, *(f"{s['estimate']:.3f} ({s['low']:.3f} to {s['high']:.3f})" for s in scores)])
    return found


def novelty() -> Rows:
    """How pictures of other kinds are met by the mood classifiers, with 95 % intervals."""
    found = {(row["model"], row["set"], row["measure"]): row for row in rows_of("novelty_summary.csv")}
    body = []
    for model in READERS:
        for name, words in NOVELTY.items():
            cells = [found[model, name, "auc"]["pictures"]]
            for measure in ("unlike", "auc", "top_probability"):
                row = found[model, name, measure]
                cells.append(
                    f"{float(row['estimate']):.3f} ({float(row['low']):.3f} to {float(row['high']):.3f})"
                )
            body.append([model, words, *cells])
    head = ["", "", "pictures", "called unlike", "AUC", "mean probability of the likeliest mood"]
    return [head, *body]


def read_as() -> Rows:
    """How many of the atelier's paintings of each mood the default mood classifier reads as which."""
    rows = [row for row in rows_of("novelty_confusion.csv") if row["model"] == READERS[0]]
    moods = list(dict.fromkeys(row["meant"] for row in rows))
    count = {(row["meant"], row["read"]): int(row["pictures"]) for row in rows}
    body = [[f"painted for {m}", *(str(count[m, read]) for read in moods)] for m in moods]
    total = ["all", *(str(sum(count[m, read] for m in moods)) for read in moods)]
    return [["", *(f"read as {read}" for read in moods)], *body, total]


def ablation() -> Rows:
    """What further steps add to the mood classifier, with 95 % intervals of the paired differences."""
    shown = ("accuracy", "balanced_accuracy", "log_loss_votes")
    found: dict[str, list[str]] = {}
    for row in rows_of("mood_ablation_summary.csv"):
        if row["difference"] and row["metric"] in shown:
            value, low, high = (float(row[f"difference{end}"]) for end in ("", "_low", "_high"))
            found.setdefault(row["variant"], []).append(f"{value:+.3f} ({low:+.3f} to {high:+.3f})")
    return [["", *(METRICS[m] for m in shown)], *([name, *cells] for name, cells in found.items())]


SETS = {"chinese_mood": "Chinese paintings", "children_emotion": "children's drawings"}
CHOSEN = (
    ("keypoints", "20"),
    ("keypoints", "40"),
    ("keypoints", "100"),
    ("cosine", "0.9"),
    ("cosine", "0.96"),
)


def near_duplicates() -> Rows:
    """Hits and false alarms of the detectors of near-duplicates."""
    found = [["pictures", "pairs", "detector", "from", "found", "recall", "false alarms"]]
    for row in rows_of("near_duplicates.csv"):
        if (row["detector"], row["threshold"]) in CHOSEN:
            recall = "{:.2f} ({:.2f} to {:.2f})".format(*(float(row[c]) for c in ("recall", "low", "high")))
            hits, alarms = f"{row['found']} of {row['same']}", f"{row['false_alarms']} of {row['compared']}"
            words = [SETS[row["collection"]], row["source"], row["detector"], row["threshold"]]
            found.append([*words, hits, recall, alarms])
    return found


PLATFORM = {  # by the beginning or the end of a figure's name: its quantities and what they are
    "throughput": {
        "jobs_per_second": "jobs that do nothing, of 20 owners at once, a second",
        "jobs_mixed_up_or_lost": "of these mixed up or lost",
    },
    "queued memory": {"kb_per_queued_job": "memory of the server for each waiting job, kB"},
    "overhead": {"added_seconds": "added to drawing 512 × 512 pixels, s"},
    "recovery": {
        "restart_seconds": "from a kill to a server with every job in its place, s",
        "restart_to_work_seconds": "from a kill to work, s",
    },
    "small beside large": {
        "alone_seconds": "a picture of 512 × 512 pixels for somebody who waits, s",
        "added_seconds": "added while one of 24 megapixels is drawn, s",
        "added_seconds_most": "added at most, s",
    },
    "pictures of 256 px each": {
        "pictures_per_second": "pictures of 256 pixels for 30 visitors at once, a second",
        "median_seconds": "that half of them take at most, s",
        "p95_seconds": "that 95 % of them take at most, s",
        "pictures_mixed_up": "of 150 mixed up",
    },
    "1 picture of 256 px each": {
        "server_mb": "memory of the server, MB",
        "workers_mb": "memory of its workers, MB",
        "files": "open files",
        "connections": "connections that are held",
    },
    "1000 idle connections": {
        "connections_held": "of 1000 connections that say nothing are held",
        "seconds_to_a_picture": "until a visitor has a picture meanwhile, s",
        "connections_held_after_deadline": "held after their deadline",
    },
    "faults": {"faults_survived": "faults after which the same picture is drawn"},
}


def platform() -> Rows:
    """What the platform and its page cost, by engine, and how busy the machine was before each figure."""
    found: dict[tuple[str, str], dict[str, float]] = {}
    for row in rows_of("platform.csv"):  # the last rows of a figure's name are the newest
        found.setdefault((row["engine"], row["figure"]), {})[row["quantity"]] = float(row["value"])
    rows = [["", "local", "Ray on one machine", "load of the machine before"]]
    for name, quantities in PLATFORM.items():
        of_engine = {engine: values for (engine, figure), values in found.items() if figure.endswith(name)}
        rounds = [int(q[6:]) for q in of_engine["local"] if re.fullmatch(r"files_\d+", q)]
        for quantity, words in quantities.items():
            cells, what = [], words
            for values in (of_engine.get(engine, {}) for engine in ("local", "ray")):
                if name == "1 picture of 256 px each" and values:
                    first, last = (values[f"{quantity}_{number}"] for number in (1, max(rounds)))
                    cells.append(f"{first:.0f} → {last:.0f}")
                    what = f"{words}, after the first and after {max(rounds)} rounds of 30 visitors"
                else:
                    cells.append(f"{values[quantity]:.3g}" if quantity in values else "")
            if quantity == "faults_survived":
                what = f"of {of_engine['local']['faults']:.0f} {words}"
            loads = [values.get("load_average_before") for values in of_engine.values()]
            rows.append([what, *cells, ", ".join(f"{load:.1f}" for load in loads if load is not None)])
    return rows


NUMBERS = (100, 1000, 10_000)  # of pictures


def collection() -> Rows:
    """Pictures a second and memory of what is done with a collection, by the number of its pictures."""
    found: dict[tuple[str, str], dict[int, dict[str, str]]] = {}
    for row in rows_of("collection_speed.csv"):
        found.setdefault((row["step"], row["size"]), {})[int(row["pictures"])] = row
    head = [f"{n:,}" for n in NUMBERS]
    rows = [["", "side of the pictures", *head, "largest memory", "growth of the time"]]
    growth = {(r["step"], r["size"]): r for r in rows_of("collection_speed_growth.csv")}
    for (step, size), counts in found.items():
        speeds = [float(counts[n]["pictures_per_core_second"]) if n in counts else None for n in NUMBERS]
        rates = ["" if v is None else f"{v:,.0f}" if v >= 100 else f"{v:.3g}" for v in speeds]
        memory = max(int(row["peak_mb"]) for row in counts.values())
        of_step = growth.get((step, size), {})
        words = f"{of_step['growth']} ({float(of_step['exponent']):.2f})" if of_step else ""
        rows.append([step, f"{size} px", *rates, f"{memory} MB", words])
    return rows


CHANGES = ("ΔE76", "ΔE2000", "line pixels")
QUESTIONS = ("overall", "drawn", "clean")
PUBLISHED = "White-box Cartoonization (published)"
PEERS = "beside networks trained here"
CUT = ("fsgan_comic", "fsgan_bold")  # whose drawings are cut into shapes
UNCUT = ", without shapes"  # the same weights, before shapes were cut in their drawings
NEWEST_PANEL = "24 scenes with published drawings"
BOTH_FORMS = {  # beginnings of the sheets that show a drawing with shapes and without
    NEWEST_PANEL: NEWEST_PANEL,
    "24 more photos that tuned nothing, shapes": "24 more photos that tuned nothing",
    "30 photos that tuned nothing, shapes of comic": "30 photos that tuned nothing, beside its teacher",
    "30 photos new to judges, shapes of bold": "30 photos new to judges, beside its teacher",
}
FORMER = {"fsgan_pepper": "the style of before (fsgan_pepper)"}  # judged, and no longer in the package
BESIDE = {  # what a judged drawing was to the teacher of the weights of then
    ("fsgan_comic, second weights", "drawn_comic"): "`drawn_comic`, a less bold form of its teacher",
    ("fsgan_bold, first weights", "teacher of fsgan_bold, first weights"): "its teacher",
    ("fsgan_anime, second weights", "drawn_anime"): "`drawn_anime`, a less bold form of its teacher",
    ("fsgan_ink, third weights", "drawn_ink"): "`drawn_ink`, its teacher",
}
TABLES = {
    "preferred": lambda: preferred((*CUT, "fsgan_anime")),
    "preferred_both": lambda: preferred((*CUT, *(f"{style}{UNCUT}" for style in CUT)), both_forms=True),
    "preferred_before": lambda: preferred(
        (*(f"{style}{UNCUT}" for style in CUT), "fsgan_comic, second weights")
    ),
    "beside_before": beside_before,
    "beside_uncut": beside_uncut,
    "beside_peers": beside_peers,
    "changes": changes,
    "yardsticks": yardsticks,
    "all_panels": panel,
    "speed": lambda: costs(short=True),
    "moods": lambda: moods(("accuracy", "balanced_accuracy", "log_loss_votes")),
    "stylizers": stylizers,
    "stylizer_pairs": stylizer_pairs,
    "likeness": likeness,
    "faces": faces,
    "costs": lambda: costs(short=False),
    "all_moods": lambda: moods(tuple(METRICS)),
    "novelty": novelty,
    "read_as": read_as,
    "unsure": unsure,
    "near_duplicates": near_duplicates,
    "ablation": ablation,
    "platform": platform,
    "collection": collection,
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
