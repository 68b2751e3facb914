"""Hooks of mkdocs: the site has the repository's layout, so that a link leads to the same place on both.

Pages are the repository's Markdown files under their own paths, and one page of docstrings for each package. Links to
notebooks lead to their executed pages, which ``python -m amp_helpers.notebook.site`` writes beside these. The page to
drive the robot in is taken from ``build/drive.html``, if it was built.
"""

import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.nav import Link, Navigation
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "amp_helpers"
DRIVE = ROOT / "build" / "drive.html"
PAGES = ("*.md", "docs/**/*", "datasets/*.md", "policies/**/*.md", "benchmarks/*.md", "benchmarks/results/*.json")
_SPHINX_ROLE = re.compile(r":\w+:<code>~?(?:[\w.]+\.)?(\w+)</code>")
_NOTEBOOK_LINK = re.compile(r"\[([^]]+)\]\(((?:[\w./-]*/)?notebooks/\w+)\.ipynb(#[^)]*)?\)")


def on_config(config: MkDocsConfig) -> None:
    """Add the API pages to the navigation."""
    config.nav = [*(config.nav or []), {"API": [f"api/{name}.md" for name in _packages()]}]


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Take the repository's files in place of those in ``docs_dir``, and the API pages."""
    paths = sorted({path for pattern in PAGES for path in ROOT.glob(pattern) if path.is_file()})
    pages = [File.generated(config, str(path.relative_to(ROOT)), abs_src_path=str(path)) for path in paths]
    pages += [
        File.generated(config, f"api/{name}.md", content=_api_page(name, modules))
        for name, modules in _packages().items()
    ]
    if DRIVE.is_file():
        pages.append(File.generated(config, DRIVE.name, abs_src_path=str(DRIVE)))
    theme = [file for file in files if file.src_dir != config.docs_dir]
    return Files(theme + pages)


def on_nav(nav: Navigation, config: MkDocsConfig, files: Files) -> None:
    """Lead to the executed notebooks and to the pages with something to drive and to drag."""
    nav.items.insert(1, Link("Notebooks", "notebooks/index.html"))
    if DRIVE.is_file():
        nav.items.insert(2, Link("Drive the robot", DRIVE.name))
    nav.items.insert(2, Link("AMP in two dimensions", "docs/amp_in_two_dimensions.html"))


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Let links to notebooks lead to their executed pages, and the start page to the robot that is driven here."""
    if page.file.src_uri == "README.md" and DRIVE.is_file():
        button = f"[Drive the robot in this browser]({DRIVE.name}){{ .md-button .md-button--primary }}"
        markdown = markdown.replace("\n## Drive it\n", f"\n## Drive it\n\n{button}\n\nOr on your machine:\n", 1)
    return _NOTEBOOK_LINK.sub(r'<a href="\2.html\3">\1</a>', markdown)


def on_page_content(html: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Show the roles of docstrings, such as :class:`~amp_helpers.motion.motion.Motion`, as names."""
    return _SPHINX_ROLE.sub(r"<code>\1</code>", html)


def _packages() -> dict[str, list[str]]:
    """Public modules by package, the top level first."""
    modules = sorted(path.relative_to(ROOT).with_suffix("") for path in PACKAGE.rglob("*.py"))
    found: dict[str, list[str]] = {}
    for module in modules:
        name = ".".join(module.parts)
        if not module.name.startswith("_"):
            found.setdefault(".".join(module.parent.parts), []).append(name)
    return dict(sorted(found.items()))


def _api_page(package: str, modules: list[str]) -> str:
    head = f"# {package}\n\n::: {package}\n    options: {{members: false, show_root_heading: false}}\n\n"
    return head + "\n\n".join(f"::: {module}\n    options: {{heading_level: 2}}" for module in modules)
