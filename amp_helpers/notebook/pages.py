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

import nbformat

from amp_helpers.errors import InputError, atomic_path
from amp_helpers.utils.json_data import fits, read_json
from amp_helpers.utils.resources import checkout

_DOCS = (checkout() or Path.cwd()) / "docs"
GLOSSARY = _DOCS / "glossary.md"
LIVE_PAGES = (_DOCS / "amp_in_two_dimensions.html",)
"""Pages with scripts of their own, which :func:`write_page` puts beside the notebooks' pages that link to them."""
_WIDGET_STATE = "application/vnd.jupyter.widget-state+json"
_WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"


def widget_state(notebook: nbformat.NotebookNode) -> Mapping[str, Mapping]:
    """Return the models of all widgets of an executed notebook, by model ID."""
    return notebook.metadata.get("widgets", {}).get(_WIDGET_STATE, {}).get("state", {})


def write_page(
    notebook: nbformat.NotebookNode,
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
        for output in cell.get("outputs", []):
            view = output.get("data", {}).get(_WIDGET_VIEW)
            if view:
                shown = _widget_html(view["model_id"], models)
                hint = '<p class="amp-hint">The controls work in JupyterLab.</p>' if "amp-control" in shown else ""
                output["data"] = {"text/html": f'<div class="amp-widget">{shown}{hint}</div>'} if shown else {}
    body = _page_html(page, path.stem, siblings)
    body = re.sub(r'(href="(?!\w+:)[\w./-]+)\.ipynb(["#])', r"\1.html\2", body)
    body = re.sub(r'href="[\w./-]*docs/glossary\.md(["#])', r'href="glossary.html\1', body)
    body = _link_source_files(_show_live_pages(body, path.parent), documentation)
    with atomic_path(path) as temporary:
        temporary.write_text(body, encoding="utf-8")
    return path


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


def _page_html(notebook: nbformat.NotebookNode, name: str, siblings: Sequence[str] = ()) -> str:
    from jinja2 import PackageLoader
    from nbconvert import HTMLExporter

    exporter = HTMLExporter(extra_loaders=[PackageLoader("amp_helpers.notebook")], template_file="page.html.j2")
    resources: dict[str, object] = {"metadata": {"name": title_of(notebook) or name}}
    if name in siblings:
        here = siblings.index(name)
        resources |= {"previous": "".join(siblings[:here][-1:]), "next": "".join(siblings[here + 1 :][:1])}
    return exporter.from_notebook_node(notebook, resources=resources)[0]


def _write_glossary(path: Path) -> None:
    """Write the glossary as a page; an installed package has none, and no notebooks either."""
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


def _widget_html(model_id: str, models: Mapping[str, Mapping]) -> str:
    """Return a widget's last state as HTML; a control becomes its label and value."""
    model = models.get(model_id.removeprefix("IPY_MODEL_"), {})
    state, kind = model.get("state", {}), model.get("model_name", "")
    if kind == "OutputModel":
        return "".join(_output_html(output) for output in state.get("outputs", []))
    if "children" in state:
        children = "".join(_widget_html(child, models) for child in state["children"])
        return f'<div class="amp-row">{children}</div>' if kind == "HBoxModel" else f"<div>{children}</div>"
    if kind == "ImageModel":
        buffers = [b["data"] for b in model.get("buffers", []) if b.get("path") == ["value"]]
        alt = html.escape(state.get("tooltip") or "picture")
        return f'<img alt="{alt}" src="data:image/{state.get("format", "png")};base64,{buffers[0]}">' if buffers else ""
    if kind in ("HTMLModel", "HTMLMathModel"):
        return f"<div>{state.get('value', '')}</div>"
    label, value = state.get("description", ""), state.get("value", "")
    if kind == "PlayModel" or (kind == "SelectionSliderModel" and not label):  # the control that it moves has the value
        return ""
    if kind == "TextareaModel":
        return f'<span class="amp-control">{html.escape(label)}</span><pre>{html.escape(value)}</pre>'
    if "_options_labels" in state and isinstance(state.get("index"), int):
        value = state["_options_labels"][state["index"]]
    text = f"{label} {value}" if value not in ("", None) else label
    return f'<span class="amp-control">{html.escape(text)}</span>' if text and "bar_style" not in state else ""


def _output_html(output: Mapping) -> str:
    if output["output_type"] == "stream":
        return f"<pre>{html.escape(''.join(output['text']))}</pre>"
    if output["output_type"] == "error":
        return f"<pre>{html.escape(output['ename'] + ': ' + output['evalue'])}</pre>"
    data = output.get("data", {})
    if "text/html" in data:
        return "".join(data["text/html"])
    for kind in ("image/png", "image/jpeg"):
        if kind in data:
            return f'<img alt="figure" src="data:{kind};base64,{"".join(data[kind]).strip()}">'
    return f"<pre>{html.escape(''.join(data.get('text/plain', '')))}</pre>"


def title_of(notebook: nbformat.NotebookNode) -> str:
    """Return a notebook's first heading as plain text; empty when there is none."""
    for cell in notebook.cells:
        if cell.cell_type == "markdown" and (match := re.search(r"^#\s+(.+)$", cell.source, re.MULTILINE)):
            return match[1].strip()
    return ""


def _lead_of(notebook: nbformat.NotebookNode) -> str:
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
        output: folder of the pages, figures, videos and ``metrics.json``.
        names: the notebooks in order.
        documentation: address of the documentation, to link to.
    """
    from jinja2 import Environment, PackageLoader

    _write_glossary(output / "glossary.html")
    template = Environment(loader=PackageLoader("amp_helpers.notebook"), autoescape=True).get_template("index.html.j2")
    page = template.render(
        notebooks=[_entry(output, stem) for name in names for stem in (name, f"{name}.failed") if _ran(output, stem)],
        videos=_files(output, "videos/*.mp4"),
        metrics=_metrics(output / "metrics.json"),
        figures=_files(output, "figures/*.png", "figures/*.svg"),
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


def _entry(output: Path, stem: str) -> dict[str, object]:
    notebook = nbformat.read(output / f"{stem}.ipynb", as_version=4)
    return {
        "stem": stem,
        "title": title_of(notebook) or stem.removesuffix(".failed"),
        "lead": _lead_of(notebook),
        "seconds": notebook.metadata.get("papermill", {}).get("duration") or 0.0,
        "failed": stem.endswith(".failed"),
    }


def _files(output: Path, *patterns: str) -> list[dict[str, str]]:
    return [
        {
            "path": path.relative_to(output).as_posix(),
            "caption": re.sub(r"^(\d+)\s", r"\1 · ", path.stem.replace("_", " ")),
        }
        for path in sorted(found for pattern in patterns for found in output.glob(pattern))
    ]


def _metrics(path: Path) -> dict[str, object]:
    """Read the numbers of ``metrics.json``; empty where there is none, or another file of that name."""
    try:
        content = read_json(path, "evaluate again") if path.is_file() else {}
    except InputError:
        content = {}
    return (
        {name: value for name, value in content.items() if fits(value, float | None)} if type(content) is dict else {}
    )
