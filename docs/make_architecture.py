"""Draw the floors of the package and what they import from each other: ``python docs/make_architecture.py``.

It reads the imports of every file, so that the picture, docs/architecture.svg, shows the code as it is. Dark
arrows are those that cannot be left out: no other path of arrows leads there. The pale ones are the rest.
"""

import ast
import html
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OUT = Path(__file__).with_suffix("").with_name("architecture.svg")
ROW, BOX, WIDTH = 46, 430, 900  # pixels
INK, PALE, PAPER = "#3b3530", "#d5cabd", "#fbf8f3"


def floors() -> list[list[str]]:
    """Names of the floors, lowest level first."""
    levels = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["workbench"][
        "floors"
    ]
    return [[name for name in level if not name.startswith("_")] for level in levels]


def files_of(floor: str) -> list[Path]:
    """The Python files of a floor, which is a package or a module."""
    folder = ROOT / "workbench" / floor
    return sorted(folder.rglob("*.py")) if folder.is_dir() else [folder.with_suffix(".py")]


def imported(file: Path) -> set[str]:
    """Dotted names that a file imports, ``from workbench import models`` as ``workbench.models``."""
    names = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def arrows(names: list[str]) -> set[tuple[str, str]]:
    """(floor, floor that it imports from)."""
    found = set()
    for floor in names:
        for name in set().union(*(imported(file) for file in files_of(floor))):
            package, _, rest = name.partition(".")
            other = rest.partition(".")[0]
            if package == "workbench" and other in names and other != floor:
                found.add((floor, other))
    return found


def needed(edges: set[tuple[str, str]]) -> set[tuple[str, str]]:
    """The arrows that no path of other arrows replaces (the transitive reduction)."""
    below: dict[str, set[str]] = {}

    def reach(floor: str) -> set[str]:
        if floor not in below:
            below[floor] = set()
            for other in (b for a, b in edges if a == floor):
                below[floor] |= {other} | reach(other)
        return below[floor]

    return {(a, b) for a, b in edges if not any(b in reach(c) for d, c in edges if d == a and c != b)}


def summary(floor: str) -> str:
    """First line of a floor's docstring."""
    file = ROOT / "workbench" / floor / "__init__.py"
    source = (file if file.is_file() else file.parent.with_suffix(".py")).read_text(encoding="utf-8")
    line = (ast.get_docstring(ast.parse(source)) or "").partition("\n")[0].replace("`", "")
    words = line if len(line) <= 68 else line[:67].rpartition(" ")[0] + " …"
    return words.rstrip(".")


def arrow(start: float, end: float, colour: str) -> str:
    """An arc at the right of the boxes, the wider the farther it leads."""
    bend = BOX + 34 + 9 * (end - start) ** 0.62
    path = f"M {BOX} {start:.0f} C {bend:.0f} {start:.0f}, {bend:.0f} {end:.0f}, {BOX} {end:.0f}"
    return f'<path d="{path}" fill="none" stroke="{colour}" marker-end="url(#{colour[1:]})"/>'


def draw() -> str:
    """The picture as SVG."""
    levels = floors()[::-1]
    names = [name for level in levels for name in level]
    edges = arrows(names)
    dark = needed(edges)
    middle = {name: 20 + ROW * i + ROW / 2 for i, name in enumerate(names)}
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {ROW * len(names) + 40}" '
        'font-family="system-ui, sans-serif" role="img">',
        "<title>The floors of the package, and which imports from which</title>",
        f'<rect width="100%" height="100%" fill="{PAPER}"/>',
        "<defs>",
        *(
            f'<marker id="{colour[1:]}" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" '
            f'orient="auto"><path d="M 0 0 L 8 4 L 0 8 z" fill="{colour}"/></marker>'
            for colour in (INK, PALE)
        ),
        "</defs>",
    ]
    for a, b in sorted(edges, key=lambda edge: (edge in dark, edge)):
        lines.append(arrow(middle[a] + 6, middle[b] - 6, INK if (a, b) in dark else PALE))
    for level in levels:
        top, height = middle[level[0]] - ROW / 2 + 4, ROW * len(level) - 8
        lines.append(
            f'<rect x="20" y="{top:.0f}" width="{BOX - 20}" height="{height}" rx="6" fill="white" '
            f'stroke="{INK}"/>'
        )
        for name in level:
            y, words = middle[name], html.escape(summary(name))
            lines += [
                f'<text x="34" y="{y - 1:.0f}" font-size="14" font-weight="600" fill="{INK}">{name}</text>',
                f'<text x="34" y="{y + 14:.0f}" font-size="11" fill="#6f655b">{words}</text>',
            ]
    return "\n".join([*lines, "</svg>"]) + "\n"


if __name__ == "__main__":
    OUT.write_text(draw(), encoding="utf-8")
