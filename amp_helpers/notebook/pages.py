"""Pages that need nothing but a browser: executed notebooks, the glossary, and an index of all results.

nbconvert makes the pages, from the templates in ``templates/``. They load no script and no font, so that they open
without a network. nbconvert shows widgets by scripts from a network, so this module replaces each widget by the HTML of
its last state; no library does that.
"""

import base64
import copy
import html
import re
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from amp_helpers.errors import InputError, atomic_path
from amp_helpers.metrics.tables import metrics_table
from amp_helpers.utils.json_data import fits, read_json
from amp_helpers.utils.resources import checkout
from amp_helpers.utils.table import keep_options_whole
from amp_helpers.widgets.page_picture import picture_html
from amp_helpers.widgets.still import HINT, is_still, widget_html

if TYPE_CHECKING:
    from nbformat import NotebookNode

_DOCS = (checkout() or Path.cwd()) / "docs"
GLOSSARY = _DOCS / "glossary.md"
LIVE_PAGES = (_DOCS / "amp_in_two_dimensions.html",)
"""Pages with scripts of their own, which :func:`write_page` puts beside the notebooks' pages that link to them."""
METRICS = ("metrics_by_policy.json", "metrics.json")
"""Files of metrics, of which the index shows the first."""
_WIDGET_STATE = "application/vnd.jupyter.widget-state+json"
_WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"


def widget_state(notebook: "NotebookNode") -> Mapping[str, Mapping]:
    """Return the models of all widgets of an executed notebook, by model ID."""
    return notebook.metadata.get("widgets", {}).get(_WIDGET_STATE, {}).get("state", {})


def write_page(
    notebook: "NotebookNode",
    path: Path,
    siblings: Sequence[str] = (),
    source_folder: Path | None = None,
    documentation: str | None = None,
) -> Path:
    """Write an executed notebook as one self-contained HTML file and return its path.

    Links to other notebooks become links to their pages, and links to ``docs/glossary.md`` links to the glossary that
    :func:`write_index` puts beside the pages. A paragraph that is a link to one of :data:`LIVE_PAGES` shows that page.
    Links to source files become links to the API pages of the documentation, or plain text without one.

    Args:
        notebook: the executed notebook.
        path: the page.
        siblings: names of all notebooks in order; the page links to its neighbors.
        source_folder: the notebook's own folder, for pictures that its text links to; they are embedded.
        documentation: address of the documentation's first page, seen from the page.
    """
    page = copy.deepcopy(notebook)
    models = widget_state(notebook)
    page.metadata.pop("widgets", None)
    for cell in page.cells:
        if cell.cell_type == "markdown":
            cell.source = _embed_pictures(cell.source, source_folder or path.parent)
        if models and "outputs" in cell:  # a widget's last state is better than its first
            cell.outputs = [output for output in cell.outputs if not is_still(output)]
        for output in cell.get("outputs", []):
            view = output.get("data", {}).get(_WIDGET_VIEW)
            if view:
                shown = widget_html(view["model_id"], models)
                hint = f'<p class="amp-hint">{HINT}</p>' if "amp-control" in shown else ""
                output["data"] = {"text/html": f'<div class="amp-widget">{shown}{hint}</div>'} if shown else {}
    body = _page_html(page, path.stem, _neighbors(path.stem, siblings, source_folder or path.parent))
    body = re.sub(r'(href="(?!\w+:)[\w./-]+)\.ipynb(["#])', r"\1.html\2", body)
    body = re.sub(r'href="[\w./-]*docs/glossary\.md(["#])', r'href="glossary.html\1', body)
    body = re.sub("(?<=<code>)[^<]+(?=</code>)", lambda code: _breakable(code[0]), body)
    body = _link_source_files(_show_live_pages(body, path.parent), documentation)
    with atomic_path(path) as temporary:
        temporary.write_text(body, encoding="utf-8")
    return path


def _breakable(code: str) -> str:
    """Let code within a line break after a slash, and no option break after its hyphens."""
    return keep_options_whole(code.replace("/", "/<wbr>"))


def _show_live_pages(body: str, folder: Path) -> str:
    for page in LIVE_PAGES:
        name = page.name
        body, links = re.subn(rf'href="[\w./-]*docs/{re.escape(name)}"', f'href="{name}"', body)
        if links and page.is_file():  # an installed package has none
            shutil.copyfile(page, folder / name)
        body = re.sub(
            rf'<p>(<a href="{re.escape(name)}"[^>]*>)(.*?)</a></p>',
            rf'<p>\1\2</a></p><iframe class="amp-live" src="{name}" title="\2" loading="lazy"></iframe>',
            body,
        )
    return body


def _link_source_files(body: str, documentation: str | None) -> str:
    def link(match: re.Match[str]) -> str:
        if documentation is None:
            return match["text"]
        *package, module = ("amp_helpers", *match["module"].split("/"))
        root = documentation.rpartition("/")[0]
        target = f"{root}/api/{'.'.join(package)}.html#{'.'.join((*package, module))}"
        return f'<a href="{html.escape(target)}">{match["text"]}</a>'

    return re.sub(r'<a href="[./]*amp_helpers/(?P<module>[\w/]+)\.py"[^>]*>(?P<text>.*?)</a>', link, body)


def _page_html(notebook: "NotebookNode", name: str, neighbors: Mapping[str, object] | None = None) -> str:
    from jinja2 import PackageLoader
    from nbconvert import HTMLExporter

    exporter = HTMLExporter(extra_loaders=[PackageLoader("amp_helpers.notebook")], template_file="page.html.j2")
    exporter.register_filter("picture", picture_html)
    resources = {"metadata": {"name": title_of(notebook) or name}, **(neighbors or {})}
    page = exporter.from_notebook_node(notebook, resources=resources)[0]
    # Boxes that scroll on a narrow page can be reached by keyboard.
    page = page.replace('jp-InputArea-editor" data', 'jp-InputArea-editor" tabindex="0" data')
    page = page.replace('<div class="highlight"><pre>', '<div class="highlight"><pre tabindex="0">')
    page = page.replace("<pre><code>", '<pre tabindex="0"><code>')
    return re.sub(r"<th([^>]*)></th>", r"<td\1></td>", page)  # a cell without text is no header


def _neighbors(name: str, siblings: Sequence[str], folder: Path) -> dict[str, object]:
    """Return name and title of the notebooks before and after one, as far as there are any."""
    import nbformat

    def entry(neighbor: str) -> dict[str, str]:
        file = folder / f"{neighbor}.ipynb"
        title = title_of(nbformat.read(file, as_version=4)) if file.is_file() else ""
        return {"name": neighbor, "title": title or neighbor}

    at = siblings.index(name) if name in siblings else len(siblings)
    beside = {"previous": siblings[at - 1 : at] if at else (), "next": siblings[at + 1 : at + 2]}
    return {side: entry(found[0]) for side, found in beside.items() if found and name in siblings}


def _write_glossary(path: Path) -> None:
    """Write the glossary as a page; an installed package has none, and no notebooks either."""
    import nbformat

    if not GLOSSARY.is_file():
        return
    # Other documents have no page here, so that links to them keep their text alone.
    text = re.sub(r"\[([^]]*)\]\((?!\w+:|#)[^)]*\)", r"\1", GLOSSARY.read_text(encoding="utf-8"))
    body = _page_html(nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell(text)]), path.stem)
    # Links to terms are in lower case, as on GitHub; nbconvert keeps a heading's case in its ID.
    body = re.sub(r'(<h\d id="|href="#)([^"]+)', lambda match: match[1] + match[2].lower(), body)
    with atomic_path(path) as temporary:
        temporary.write_text(body, encoding="utf-8")


def _embed_pictures(text: str, folder: Path) -> str:
    """Embed local pictures in Markdown; nbconvert's ``embed_images`` refuses files outside the notebook's folder."""

    def embed(match: re.Match[str]) -> str:
        file = folder / match[2]
        if not file.is_file():
            return match[0]
        kind, content = file.suffix.removeprefix("."), base64.b64encode(file.read_bytes()).decode()
        return f"![{match[1]}](data:image/{kind};base64,{content})"

    return re.sub(r"!\[([^]]*)\]\((?!\w+:)([^)\s]+\.(?:gif|png|jpeg|webp))\)", embed, text)


def title_of(notebook: "NotebookNode") -> str:
    """Return a notebook's first heading as plain text; empty when there is none."""
    for cell in notebook.cells:
        if cell.cell_type == "markdown" and (match := re.search(r"^#\s+(.+)$", cell.source, re.MULTILINE)):
            return match[1].strip()
    return ""


def _lead_of(notebook: "NotebookNode") -> str:
    """Return a notebook's first paragraph as plain text; empty when there is none."""
    from markupsafe import Markup
    from nbconvert.filters import markdown2html

    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            for paragraph in re.findall(r"<p>(.*?)</p>", markdown2html(cell.source), re.DOTALL):
                if text := Markup(paragraph).striptags():
                    return text
    return ""


def write_index(output: Path, names: Sequence[str], documentation: str | None = None) -> Path:
    """Write the glossary and ``index.html``, which leads to everything that is in ``output`` now; return its path.

    The index depends on the folder alone, so that it is complete also when only one notebook was executed again.

    Args:
        output: folder of the pages, figures, videos, ``metrics.json`` and ``metrics_by_policy.json``.
        names: the notebooks in order.
        documentation: address of the documentation, to link to.
    """
    from jinja2 import Environment, PackageLoader

    _write_glossary(output / "glossary.html")
    template = Environment(loader=PackageLoader("amp_helpers.notebook"), autoescape=True).get_template("index.html.j2")
    ran = [(name, stem) for name in names for stem in (name, f"{name}.failed") if _ran(output, stem)]
    notebooks = [_entry(output, stem) | _results(output, f"{name.partition('_')[0]}_") for name, stem in ran]
    shown = [file for notebook in notebooks for kind in ("videos", "figures") for file in notebook[kind]]
    page = template.render(
        notebooks=notebooks,
        others={kind: [file for file in files if file not in shown] for kind, files in _results(output).items()},
        metrics=_metrics(output),
        run=(output / "run").is_dir(),
        live=[
            {"path": page.name, "title": _title_of_html(page)} for page in LIVE_PAGES if (output / page.name).is_file()
        ],
        documentation=documentation,
    )
    with atomic_path(output / "index.html") as temporary:
        temporary.write_text(page, encoding="utf-8")
    return output / "index.html"


def _title_of_html(path: Path) -> str:
    match = re.search("<title>(.*?)</title>", path.read_text(encoding="utf-8"))
    return match[1] if match else path.stem


def _ran(output: Path, stem: str) -> bool:
    return all((output / f"{stem}.{kind}").exists() for kind in ("html", "ipynb"))


def _entry(output: Path, stem: str) -> dict[str, Any]:
    import nbformat

    notebook = nbformat.read(output / f"{stem}.ipynb", as_version=4)
    return {
        "stem": stem,
        "title": title_of(notebook) or stem.removesuffix(".failed"),
        "lead": _lead_of(notebook),
        "seconds": notebook.metadata.get("papermill", {}).get("duration") or 0.0,
        "failed": stem.endswith(".failed"),
    }


def _results(output: Path, prefix: str = "") -> dict[str, list[dict[str, str]]]:
    """Find videos and figures whose names begin with ``prefix``."""
    patterns = {"videos": ("videos", ("mp4",)), "figures": ("figures", ("png", "svg"))}
    return {
        kind: [
            {
                "path": path.relative_to(output).as_posix(),
                "caption": re.sub(r"^\d+_", "", path.stem).replace("_", " ").replace("-", " "),
            }
            for path in sorted(found for suffix in suffixes for found in (output / folder).glob(f"{prefix}*.{suffix}"))
        ]
        for kind, (folder, suffixes) in patterns.items()
    }


def _metrics(output: Path) -> dict[str, Any] | None:
    """Return the files of :data:`METRICS` from the first on that holds metrics, with its table; None without one."""
    for number, name in enumerate(METRICS):
        try:
            content = read_json(output / name, "evaluate again") if (output / name).is_file() else None
        except InputError:
            continue
        policies: Any = {"measured": content} if name == "metrics.json" else content
        if fits(policies, dict[str, dict[str, float | None]]) and policies:
            files = [name, *(other for other in METRICS[number + 1 :] if (output / other).is_file())]
            return {"files": files, "table": metrics_table(policies)._repr_html_()}
    return None
