"""Hooks of the site (mkdocs.yml): the pages, laid out as in the repository, so that their links hold.

A link to a module leads to its page in the reference, one to a notebook to the notebook as a page, and one to
any other file of the repository to a copy of it. A link that leads nowhere is an error of mkdocs.
"""

import json
import posixpath
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parent.parent
LINK = re.compile(r"(\]\()([^)\s#:]+)((?:#[^)]*)?\))")


def public_modules(package: Path) -> list[str]:
    """Dotted names of a package and of all modules below it whose names do not begin with an underscore."""
    files = sorted(package.rglob("*.py"))
    names = [".".join(file.relative_to(package.parent).with_suffix("").parts) for file in files]
    names = [name.removesuffix(".__init__") for name in names]
    return sorted(name for name in names if not any(part.startswith("_") for part in name.split(".")))


def sources() -> list[Path]:
    """The Markdown pages of the repository's root and of docs/."""
    return sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])


def module_page(name: str) -> str:
    """Where the reference of a module is."""
    return f"reference/{name}.md"


def site_path(path: str) -> str:
    """Where a file or folder of the repository is on the site, both relative to the root."""
    file = ROOT / path
    is_module = file.suffix == ".py" or (file / "__init__.py").is_file()
    if is_module and path.split("/")[0] == "workbench":
        return module_page(path.removesuffix(".py").replace("/", ".").removesuffix(".__init__"))
    if file.suffix == ".ipynb":
        return path.removesuffix(".ipynb") + ".md"
    return f"{path}/index.md" if file.is_dir() else path


def in_repository(link: str, page: str) -> str:
    """The path, relative to the root, that a link on ``page`` names; empty if it leaves the repository."""
    path = posixpath.normpath(posixpath.join(posixpath.dirname(page), link))
    return "" if path.startswith("..") else path


def with_links(text: str, page: str) -> str:
    """The page's text with its links as they are on the site."""

    def replaced(match: re.Match) -> str:
        path = in_repository(match[2], page)
        if not path or not (ROOT / path).exists():
            return match[0]  # mkdocs says that it leads nowhere
        return match[1] + posixpath.relpath(site_path(path), posixpath.dirname(page) or ".") + match[3]

    return LINK.sub(replaced, text)


def notebook(path: Path) -> str:
    """A notebook as a Markdown page: its texts and its code."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    texts = ["".join(cell["source"]) for cell in cells]
    return "\n\n".join(
        text if cell["cell_type"] == "markdown" else f"```python\n{text}\n```"
        for cell, text in zip(cells, texts, strict=True)
    )


def folder_page(folder: Path) -> str:
    """A list of the files in a folder."""
    names = sorted(p.name for p in folder.iterdir() if p.is_file())
    return f"# {folder.relative_to(ROOT)}\n\n" + "\n".join(f"- [{name}]({name})" for name in names)


def reference_index(modules: list[str]) -> str:
    """The first page of the reference: every module under its package, with its first line."""
    lines = ["# Reference", "", "The package from its docstrings.", ""]
    for name in modules:
        file = ROOT / name.replace(".", "/")
        file = next(f for f in (file / "__init__.py", file.with_suffix(".py")) if f.is_file())
        words = re.search(r'"""(.+?)(?:"""|\n\n)', file.read_text(encoding="utf-8"), flags=re.S)
        if name.count(".") == 1:
            lines += ["", f"## {name}", ""]
        about = " ".join(words[1].split()) if words else ""
        lines.append(f"- [{name}]({name}.md): {re.sub(r':[a-z]+:(?=`)', '', about)}")
    return "\n".join(lines)


def pages(modules: list[str]) -> dict[str, str]:
    """Every page by its place on the site, with the links of the repository."""
    found = {str(path.relative_to(ROOT)): path.read_text(encoding="utf-8") for path in sources()}
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        found[f"notebooks/{path.stem}.md"] = notebook(path)
    found["notebooks/index.md"] = folder_page(ROOT / "notebooks")
    for page, text in list(found.items()):
        for link in LINK.findall(text):
            path = in_repository(link[1], page)
            if path and (ROOT / path).is_dir() and site_path(path).endswith("/index.md"):
                found[site_path(path)] = folder_page(ROOT / path)
    found["reference/index.md"] = reference_index(modules)
    for name in modules:
        found[module_page(name)] = f"---\ntitle: {name}\n---\n::: {name}\n"
    return found


def copies(texts: dict[str, str]) -> list[str]:
    """Files of the repository, relative to the root, that a page links to and that are no pages."""
    linked = {in_repository(link[1], page) for page, text in texts.items() for link in LINK.findall(text)}
    return sorted(
        path for path in linked if path and (ROOT / path).is_file() and site_path(path) not in texts
    )


def reference_nav(modules: list[str]) -> list:
    """The reference's part of the menu: one entry a package, with its modules below it."""
    packages = [name for name in modules if name.count(".") == 1]
    below = {name: [module_page(m) for m in modules if f"{m}.".startswith(f"{name}.")] for name in packages}
    return ["reference/index.md", module_page("workbench"), *({name: below[name]} for name in packages)]


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Complete the menu by what is found: notebooks and modules."""
    notebooks = [f"notebooks/{path.stem}.md" for path in sorted((ROOT / "notebooks").glob("*.ipynb"))]
    config.nav += [
        {"Notebooks": ["notebooks/index.md", *notebooks]},
        {"Reference": reference_nav(public_modules(ROOT / "workbench"))},
        {"Project": ["CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md"]},
    ]
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Replace what mkdocs found in docs/ by the pages and the files that they link to."""
    texts = pages(public_modules(ROOT / "workbench"))
    made = Files([file for file in files if file.src_dir != config.docs_dir])  # the theme's
    for place in copies(texts):
        made.append(File.generated(config, place, abs_src_path=str(ROOT / place)))
    for place, text in texts.items():
        made.append(File.generated(config, place, content=text))
    return made


def on_page_markdown(markdown: str, page: Page, **_) -> str:
    """Links as they are on the site; Markdown inside of ``<details>`` is Markdown."""
    markdown = markdown.replace("<details>", '<details markdown="1">')
    return with_links(markdown, page.file.src_uri)
