"""Rating studies without a server: files of studies, balanced orders, answers and tables."""

import csv
import re
from collections import Counter
from itertools import pairwise
from pathlib import Path
from urllib.parse import unquote
from xml.etree import ElementTree

import numpy as np
import pytest
from rating_studies import PAIRS, SCALES, study, write_study

from workbench.cli import main
from workbench.core.errors import WorkbenchError
from workbench.core.options import options
from workbench.data.rating_tables import read_ratings, reliability
from workbench.rating import Collection, Scale, Study, load, simulate
from workbench.rating.collection import StudyChangedError
from workbench.rating.manikins import DIMENSIONS, FIGURES, figure
from workbench.rating.orders import williams
from workbench.rating.words import CHINESE, Words, blanks
from workbench.styles.stylize import styles


def run(*arguments):
    """Exit code of the command."""
    with pytest.raises(SystemExit) as left:
        main([*map(str, arguments)])
    return left.value.code


def begin(collection):
    return collection.rater(collection.begin())


def sources(collection, rater):
    """(source, style) of a rater's rated pictures, in order."""
    shown = [collection.stimuli[t.stimuli[0]] for t in rater.trials if t.phase == "rating"]
    return [(s.source, s.style) for s in shown]


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 8, 9])
def test_a_williams_design_balances_places_and_followers(n):
    rows = williams(n)
    repeats = 1 if n % 2 == 0 or n == 1 else 2
    assert rows.shape == (repeats * n, n)
    for place in rows.T:
        assert Counter(place.tolist()) == dict.fromkeys(range(n), repeats)
    followers = Counter(pair for row in rows.tolist() for pair in pairwise(row))
    assert followers == {(a, b): repeats for a in range(n) for b in range(n) if a != b}


def test_raters_fill_the_rows_of_a_williams_design(tmp_path):
    collection = Collection(study(tmp_path, 'order = "williams"\nattention_every = 0'), tmp_path / "a")
    raters = [begin(collection) for _ in range(8)]
    places = Counter((p, s) for r in raters for p, s in enumerate(sources(collection, r)))
    assert len(places) == 16
    assert set(places.values()) == {2}
    followers = Counter(pair for r in raters for pair in pairwise(sources(collection, r)))
    assert len(followers) == 12
    assert set(followers.values()) == {2}


def test_styles_are_a_latin_square_over_raters(tmp_path):
    made = study(tmp_path, 'styles = ["original", "drawn_ink"]\nattention_every = 0')
    collection = Collection(made, tmp_path / "a")
    raters = [sources(collection, begin(collection)) for _ in range(6)]
    for seen in raters:
        assert sorted(source for source, _ in seen) == ["0.png", "1.png", "2.png", "3.png"]
        assert Counter(style for _, style in seen) == {"original": 2, "drawn_ink": 2}
    assert set(Counter(s for seen in raters for s in seen).values()) == {3}
    assert len({tuple(seen) for seen in raters}) > 2  # orders are random


def test_a_subset_is_taken_from_the_rarest(tmp_path):
    collection = Collection(study(tmp_path, "per_rater = 3\nattention_every = 0", pictures=9), tmp_path / "a")
    seen = Counter(s for _ in range(6) for s in sources(collection, begin(collection)))
    assert seen == {(f"{i}.png", "original"): 2 for i in range(9)}


def test_a_williams_design_and_styles_are_balanced_together(tmp_path):
    made = study(tmp_path, 'order = "williams"\nstyles = ["original", "drawn_ink"]\nattention_every = 0')
    collection = Collection(made, tmp_path / "a")
    raters = [sources(collection, begin(collection)) for _ in range(8)]  # 4 rows by 2 rotations
    seen = Counter((place, shown) for rater in raters for place, shown in enumerate(rater))
    assert len(seen) == 4 * 4 * 2  # each picture in each style in each place
    assert set(seen.values()) == {1}


def test_pairs_change_sides(tmp_path):
    collection = Collection(study(tmp_path, "attention_every = 0", PAIRS), tmp_path / "a")
    pairs = Counter(t.stimuli for _ in range(2) for t in begin(collection).trials)
    assert len(pairs) == 12  # six pairs, both ways round
    assert set(pairs.values()) == {1}


def test_practice_breaks_and_checks_have_their_places(tmp_path):
    made = study(tmp_path, "break_every = 4\nattention_every = 3\npractice = 'pictures'", pictures=12)
    trials = begin(Collection(made, tmp_path / "a")).trials
    assert [t.phase for t in trials[:12]] == ["practice"] * 12
    later = trials[12:]
    rated = [t for t in later if t.phase == "rating"]
    assert [i for i, t in enumerate(rated) if t.has_break] == [4, 8]
    assert sum(t.phase == "attention" for t in later) == 3
    assert later[0].phase == "rating"
    assert {t.scale for t in later if t.phase == "attention"} == {"mood"}


def test_an_unfinished_and_silent_rater_gives_the_place_back(tmp_path, monkeypatch):
    made = study(tmp_path, 'styles = ["original", "drawn_ink"]\nattention_every = 0', pictures=2)
    collection = Collection(made, tmp_path / "a")
    first = sorted(sources(collection, begin(collection)))
    import workbench.rating.collection as module

    later = module.time.time() + 2 * 86_400
    monkeypatch.setattr(module.time, "time", lambda: later)
    second = sorted(sources(collection, begin(collection)))
    third = sorted(sources(collection, begin(collection)))
    assert second != third
    assert first in (second, third)


def answer_all(collection, rater, values):
    for place, trial in enumerate(rater.trials):
        asked = {s.name for s in collection.scales_of(trial)}
        collection.answer(rater, place, {n: v for n, v in values.items() if n in asked}, 1.5)


GIVEN = {"calm": 62.5, "pleasure": 7, "mood": "serenity"}


def test_the_export_is_what_ratings_reads(tmp_path):
    collection = Collection(study(tmp_path, "attention_every = 2"), tmp_path / "a")
    simulate(collection, 6, seed=3)
    files = collection.export(tmp_path / "out")
    assert [f.name for f in files] == ["ratings.csv", "answers.csv", "raters.csv"]
    columns = read_ratings(files[0])
    assert list(columns) == ["calm", "pleasure"]  # the mood is words
    assert columns["calm"].values.shape == (4, 6)
    assert not np.isnan(columns["calm"].values).any()
    now = {row["scale"]: row for row in collection.agreement()}
    for name, column in columns.items():
        known = reliability(column, samples=100)
        assert now[name]["alpha"] == pytest.approx(known["alpha"])
        assert now[name]["split_half"] == pytest.approx(known["split_half"])
        assert now[name]["mean"] == pytest.approx(known["mean"])
    with files[1].open(newline="") as file:
        answers = list(csv.DictReader(file))
    assert Counter(a["phase"] for a in answers) == {"rating": 6 * 4 * 3, "attention": 6}
    assert all(a["value"] == a["asked_for"] for a in answers if a["phase"] == "attention")


def test_the_export_holds_no_formula(tmp_path):
    made = study(tmp_path, "attention_every = 0")
    pictures = tmp_path / "pictures"
    (pictures / "0.png").rename(pictures / '=HYPERLINK("http:evil.example","x").png')
    (pictures / "1.png").rename(pictures / "＠SUM(A1).png")
    collection = Collection(made, tmp_path / "a")
    simulate(collection, 2, seed=3)
    for path in collection.export(tmp_path / "out"):
        with path.open(newline="", encoding="utf-8") as file:
            cells = [cell for row in csv.reader(file) for cell in row]
        assert not [cell for cell in cells if cell.startswith(("=", "@", "＝", "＠"))]
    assert any("HYPERLINK" in row["picture"] for row in collection.ratings())


def test_a_known_effect_of_style_comes_back(tmp_path):
    made = study(tmp_path, 'styles = ["original", "drawn_ink"]\nsee = "all"\nattention_every = 0')
    collection = Collection(made, tmp_path / "a")
    simulate(collection, 20, lambda scale, s, rng: 0.3 + 0.3 * (s.style == "drawn_ink"), noise=0.05)
    calm = {"original": [], "drawn_ink": []}
    for row in collection.ratings():
        assert row["picture"] == row["source"] if row["style"] == "original" else f"drawn_ink/{row['source']}"
        calm[row["style"]].append(row["calm"])
    assert np.mean(calm["drawn_ink"]) - np.mean(calm["original"]) == pytest.approx(30, abs=2)


def test_pairs_give_two_rows(tmp_path):
    collection = Collection(study(tmp_path, "attention_every = 0", PAIRS, 2), tmp_path / "a")
    rater = begin(collection)
    left, right = (collection.stimuli[i].picture for i in rater.trials[0].stimuli)
    collection.answer(rater, 0, {"calmer": 2}, 1.0)
    rows = collection.ratings()
    assert [(r["picture"], r["other"], r["calmer"]) for r in rows] == [(left, right, 0), (right, left, 1)]
    collection.export(tmp_path)
    assert list(read_ratings(tmp_path / "ratings.csv")) == ["calmer"]


def test_checks_and_progress_are_told(tmp_path):
    collection = Collection(study(tmp_path, "attention_every = 2"), tmp_path / "a")
    rater = begin(collection)
    begin(collection)
    answer_all(collection, rater, GIVEN)
    first, second = collection.progress()
    asked = [t.answer for t in rater.trials if t.phase == "attention"]
    assert first["checks_passed"] == asked.count("serenity")
    assert first["checks_failed"] == 1 - asked.count("serenity")
    assert (first["answered"], first["trials"], first["is_done"]) == (5, 5, True)
    assert first["median_seconds"] == 1.5
    assert (second["answered"], second["is_done"]) == (0, False)


def test_the_first_answer_stays_and_none_is_left_out(tmp_path):
    collection = Collection(study(tmp_path, "attention_every = 0"), tmp_path / "a")
    rater = begin(collection)
    with pytest.raises(IndexError):
        collection.answer(rater, 1, GIVEN, 1.0)  # 0 is due
    assert collection.answer(rater, 0, GIVEN, 1.0) == 1
    assert collection.answer(rater, 0, GIVEN | {"calm": 3}, 1.0) == 1
    assert [row["calm"] for row in collection.ratings()] == [62.5]
    for index in (-1, 4, 99):
        with pytest.raises(IndexError):
            collection.answer(rater, index, GIVEN, 1.0)


@pytest.mark.parametrize(
    ("values", "seconds", "said"),
    [
        ({"calm": 1, "pleasure": 1}, 1, "answer to mood"),
        (GIVEN | {"more": 1}, 1, "only"),
        (GIVEN | {"calm": 100.5}, 1, "0 to 100"),
        (GIVEN | {"calm": float("nan")}, 1, "0 to 100"),
        (GIVEN | {"calm": True}, 1, "0 to 100"),
        (GIVEN | {"pleasure": 0}, 1, "pleasure to be one of 1, 2"),
        (GIVEN | {"mood": "=cmd"}, 1, "mood to be one of vitality"),
        (GIVEN | {"mood": ["serenity"]}, 1, "mood to be one of"),
        (GIVEN, -1, "seconds"),
        (GIVEN, float("nan"), "seconds"),
        (GIVEN, "1", "seconds"),
    ],
)
def test_what_is_no_answer_is_refused(tmp_path, values, seconds, said):
    collection = Collection(study(tmp_path), tmp_path / "a")
    rater = begin(collection)
    with pytest.raises(WorkbenchError, match=said):
        collection.answer(rater, 0, values, seconds)
    assert collection.answers() == []


def test_codes_are_long_forgiving_and_not_in_the_file(tmp_path):
    collection = Collection(study(tmp_path), tmp_path / "a")
    codes = {collection.begin() for _ in range(20)}
    assert len(codes) == 20
    assert all(re.fullmatch(r"([2-9A-HJ-NP-Z]{4}-){3}[2-9A-HJ-NP-Z]{4}", code) for code in codes)
    code = collection.begin("the same ticket")
    assert collection.begin("the same ticket") == code
    assert collection.rater(f"  {code.lower().replace('-', ' ')} ").number == 21
    for wrong in ("", code[:-1], code[:-1] + ("A" if code[-1] != "A" else "B"), "' OR 1=1 --", "x" * 10_000):
        assert collection.rater(wrong) is None
    kept = b"".join(f.read_bytes() for f in (tmp_path / "a").glob("answers.sqlite*"))
    assert code.encode() not in kept


def test_a_rater_may_withdraw(tmp_path, capsys):
    path = write_study(tmp_path)
    collection = Collection(load(path), tmp_path / "study_answers")
    simulate(collection, 3)
    collection.close()
    assert run("rate", path, "--forget", "r003") == 0
    assert run("rate", path, "--forget", "r003") == 2
    assert "or a code, but got 'r003'" in capsys.readouterr().err
    collection = Collection(load(path), tmp_path / "study_answers")
    assert {row["rater"] for row in collection.answers()} == {"r001", "r002"}
    code = collection.begin()
    assert collection.rater(code).number == 4  # no number is given twice
    collection.forget(code)
    assert collection.rater(code) is None


def test_a_study_closes_when_it_has_its_raters(tmp_path):
    collection = Collection(study(tmp_path, "most_raters = 1"), tmp_path / "a")
    code = collection.begin("first")
    with pytest.raises(WorkbenchError, match="no more participants"):
        collection.begin("second")
    assert collection.begin("first") == code


def test_texts_may_be_mended_and_scales_may_not(tmp_path):
    folder = tmp_path / "a"
    Collection(study(tmp_path), folder).close()
    collection = Collection(study(tmp_path, scales=SCALES.replace('"calm"', '"calmness"')), folder)
    begin(collection)  # nobody had begun before: any change was welcome
    collection.close()
    mended = SCALES.replace('"calm"', '"calmness"').replace("How calm is it?", "How calm?")
    Collection(study(tmp_path, 'thanks = "Code 7"', mended), folder).close()
    with pytest.raises(StudyChangedError, match="different study"):
        Collection(study(tmp_path), folder)
    with pytest.raises(StudyChangedError, match="different study"):
        Collection(study(tmp_path, scales=mended, pictures=5), folder)


def test_a_bad_picture_stops_nothing_and_too_few_do(tmp_path):
    path = write_study(tmp_path)
    (tmp_path / "pictures" / "bad.png").write_bytes(b"no picture")
    collection = Collection(load(path), tmp_path / "a")
    assert len(collection.stimuli) == 4
    assert len(collection.skipped) == 1
    assert collection.skipped[0].startswith("bad.png: ")
    for i in range(1, 4):
        (tmp_path / "pictures" / f"{i}.png").unlink()
    with pytest.raises(WorkbenchError, match="two pictures or more"):
        Collection(load(path), tmp_path / "b")


@pytest.mark.parametrize(
    ("settings", "scales", "said"),
    [
        ("ordre = 'random'", SCALES, r"study.toml: Unknown setting 'ordre'\. Known: attention_every, "),
        ("order = 'latin'", SCALES, r"Unknown order 'latin'\. Known: fixed, random, williams"),
        ("break_every = -1", SCALES, "break_every to be between 0 and 1000"),
        ("per_rater = 3\norder = 'fixed'", SCALES, "per_rater"),
        ("words = {nxt = 'Weiter'}", SCALES, r"in \[words\]: Unknown setting 'nxt'\. Known: again, agree"),
        ("words = {progress = '{don}'}", SCALES, r"progress may have .*: \{done\}, \{total\}"),
        ("words = {next = '{'}", SCALES, "next may have"),
        ("", SCALES.replace("kind", "knd"), r"in \[\[scales\]\] 2: Unknown setting 'knd'\. Known: figure"),
        ("", SCALES.replace('"sam"', '"same"'), "Unknown kind 'same'. Known: choice, likert"),
        ("", SCALES.replace('"calm"', '"picture"'), "not a column of the tables"),
        ("", SCALES.replace('"calm"', '"mood"'), "different names"),
        ("", SCALES + PAIRS, "mix them"),
        ("", "", r"Expected scales \(one \[\[scales\]\] each"),
        ("scales = 3", "", r"as \[\[scales\]\]"),
        ("title = 3", SCALES, "cannot be read as a study"),  # twice
        ("pictures", SCALES, "cannot be read as a study"),
        ("styles = ['original', 'original']", SCALES, "each once"),
        ("practice = 3", SCALES, "practice to be a folder"),
        ("", SCALES + "points = 3\n", ""),
        ("", SCALES.replace('kind = "sam"', 'kind = "sam"\npoints = 7'), "points = 5 or points = 9"),
        ("", SCALES + "labels = ['a']", "5 labels"),
        ("", SCALES.replace('kind = "mood"', 'kind = "choice"\noptions = ["a"]'), "two options"),
        ("", SCALES.replace('kind = "mood"', 'options = ["a", "b"]'), "this is a slider"),
    ],
)  # fmt: skip
def test_a_mistake_in_a_study_is_one_line(tmp_path, settings, scales, said):
    path = write_study(tmp_path, settings, scales)
    if not said:
        load(path)
        return
    with pytest.raises(WorkbenchError, match=said) as error:
        load(path)
    assert "\n" not in str(error.value)


def test_an_unknown_style_is_told_before_any_work(tmp_path):
    with pytest.raises(WorkbenchError, match="Unknown style 'oil'"):
        Collection(study(tmp_path, "styles = ['original', 'oil']"), tmp_path / "a")
    assert not (tmp_path / "a").exists()


def test_too_many_trials_are_refused(tmp_path):
    with pytest.raises(WorkbenchError, match="Set per_rater"):
        Collection(study(tmp_path, "", PAIRS, 33), tmp_path / "a")  # 528 pairs


def test_chinese_has_every_word_and_every_blank():
    for name, text in vars(Words()).items():
        assert blanks(getattr(CHINESE, name)) == blanks(text), name
        assert getattr(CHINESE, name) != text


def test_words_replace_those_of_the_language(tmp_path):
    spoken = study(tmp_path, 'language = "zh-CN"\nwords = {next = "OK"}').spoken
    assert (spoken.next, spoken.start) == ("OK", CHINESE.start)
    assert study(tmp_path, 'language = "ar"').direction == "rtl"


@pytest.mark.parametrize("dimension", DIMENSIONS)
def test_manikins_are_different_drawings(dimension):
    drawn = [figure(dimension, level) for level in range(1, FIGURES + 1)]
    assert len(set(drawn)) == FIGURES
    for text in drawn:
        assert ElementTree.fromstring(text).get("viewBox") == "0 0 100 120"
    for level in (0, FIGURES + 1):
        with pytest.raises(KeyError):
            figure(dimension, level)


@pytest.mark.parametrize("name", ["chinese", "pairs", "redrawn", "scales"])
def test_a_template_is_a_study(tmp_path, name, capsys):
    path = tmp_path / "my study.toml"
    assert run("rate", path, "--template", name) == 0
    found = load(path)
    assert found.consent
    assert found.pictures == tmp_path / "pictures"
    assert set(found.styles) <= {"original", *styles()}
    assert "workbench rate my study.toml" in path.read_text(encoding="utf-8")
    before = path.read_bytes()
    assert run("rate", path, "--template", name) == 2
    assert "exists already" in capsys.readouterr().err
    assert path.read_bytes() == before


def test_the_command_exports(tmp_path, capsys):
    path = write_study(tmp_path)
    assert run("rate", path, "--export", tmp_path / "out") == 2
    assert "none yet" in capsys.readouterr().err
    collection = Collection(load(path), tmp_path / "study_answers")
    simulate(collection, 3)
    collection.close()
    assert run("rate", path, "--export", tmp_path / "out") == 0
    assert run("ratings", tmp_path / "out" / "ratings.csv", "--samples", "100") == 0
    assert "pleasure  4         3" in capsys.readouterr().out


def test_a_template_that_is_not_there(tmp_path, capsys):
    assert run("rate", tmp_path / "s.toml", "--template", "no") == 2
    assert "Unknown template 'no'. Known: chinese, pairs, redrawn, scales." in capsys.readouterr().err


def test_the_page_offers_every_template(tmp_path):
    from workbench.ui.collect import studies

    links = re.findall(r'href="data:application/toml;charset=utf-8,([^"]+)" download="study.toml"', studies())
    assert len(links) == 4
    for link in links:
        (tmp_path / "study.toml").write_text(unquote(link), encoding="utf-8")
        assert load(tmp_path / "study.toml").scales


def test_the_guide_names_every_setting_word_and_kind():
    guide = (Path(__file__).parent.parent / "docs" / "rating_studies.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`(\w+)`", guide)) | set(re.findall(r"`(\w+) = ", guide))
    settings = {o.name for o in options(Study)} - {"scales", "words"}
    words = {o.name for o in options(Words)}
    kinds = next(o.choices for o in options(Scale) if o.name == "kind")
    assert settings | words | set(kinds) | {"low", "high", "points", "labels", "figure"} <= named
