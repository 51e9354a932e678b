"""Version, changelog and citation say the same."""

import re
from pathlib import Path

import yaml

from workbench import __version__

ROOT = Path(__file__).resolve().parent.parent
CHANGES = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_the_changelog_has_the_version_and_the_usual_headings():
    versions = re.findall(r"^## \[([^\]]+)\](?: - (\d{4}-\d\d-\d\d))?$", CHANGES, flags=re.M)
    assert versions[0] == ("Unreleased", "")
    assert __version__ in dict(versions)
    assert all(date for name, date in versions if name != "Unreleased")
    usual = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security", "Measured"}
    assert set(re.findall(r"^### (.+)$", CHANGES, flags=re.M)) <= usual


def test_the_citation_is_of_this_version():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["cff-version"] == "1.2.0"
    assert citation["version"] == __version__
    released = re.search(rf"\[{re.escape(__version__)}\] - (\S+)", CHANGES)[1]
    assert str(citation["date-released"]) == released
    assert citation["license"] == "Apache-2.0"
    assert {"message", "title", "authors"} <= set(citation)
    (paper,) = citation["references"]
    year, article = re.fullmatch(r"10\.1155/(\d{4})/(\d{7})", paper["doi"]).groups()
    assert (str(paper["year"]), paper["url"].split("/")[-3:-1]) == (year, [year, article])
    assert paper["title"].lower() in (ROOT / "docs" / "paper.md").read_text(encoding="utf-8").lower()


def test_links_lead_somewhere():
    for page in ("CHANGELOG.md", "CONTRIBUTING.md"):
        for target in re.findall(r"\]\(([^)#:]+)\)", (ROOT / page).read_text(encoding="utf-8")):
            assert (ROOT / target).exists(), f"{page} links to {target}, which is not there"
