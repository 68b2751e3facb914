"""Pages that need nothing but a browser: executed notebooks as HTML, and the index that leads to all of it.

The pages load no script and no font from anywhere. Widgets, which would need both, are shown as what they
showed when the notebook ended.
"""

import base64
import copy
import html
import json
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import nbformat

from amp_helpers.errors import atomic_path

_WIDGET_STATE = "application/vnd.jupyter.widget-state+json"
_WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"

_STYLE = """
:root { --ink: #1d2733; --soft: #5c6b7a; --line: #dde3ea; --paper: #fff; --back: #f5f7f9; --accent:
#0b6bcb; } @media (prefers-color-scheme: dark) {
  :root { --ink: #e6ebf0; --soft: #9aa9b8; --line: #313c48; --paper: #1b222a; --back: #12171d;
          --accent: #6cb2ff; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--back); color: var(--ink); font: 16px/1.55 system-ui, sans-serif; }
main { max-width: 1080px; margin: 0 auto; padding: 2.5rem 1.25rem 4rem; }
h1 { font-size: 1.9rem; margin: 0 0 .3rem; } h2 { font-size: 1.2rem; margin: 2.6rem 0 .9rem; }
p { margin: .3rem 0; } .soft { color: var(--soft); } a { color: var(--accent); text-decoration: none; }
a:hover { text-decoration: underline; }
ol { list-style: none; margin: 0; padding: 0; display: grid; gap: .7rem; }
li, figure, .table { background: var(--paper); border: 1px solid var(--line); border-radius: 10px; }
li { padding: .9rem 1.1rem; display: grid; grid-template-columns: 1fr auto; gap: 0 1rem; }
li p { grid-column: 1; } li .time { grid-column: 2; grid-row: 1; color: var(--soft); white-space: nowrap; }
.failed { color: #d1442f; }
.grid { display: grid; gap: .9rem; grid-template-columns: repeat(auto-fill, minmax(300px, 1fr)); }
.wide { grid-template-columns: repeat(auto-fill, minmax(min(480px, 100%), 1fr)); }
figure { margin: 0; overflow: hidden; }
figcaption { padding: .45rem .8rem; color: var(--soft); font-size: .9rem; }
figure img { display: block; width: 100%; height: 200px; object-fit: contain; background: #fff; }
video { display: block; width: 100%; background: #000; }
.table { padding: .4rem 1.1rem; overflow-x: auto; } table { border-collapse: collapse; width: 100%; }
td, th { padding: .35rem .9rem .35rem 0; border-bottom: 1px solid var(--line); text-align: left; }
tr:last-child td { border: 0; } td.number { text-align: right; font-variant-numeric: tabular-nums; }
"""

_PAGE_STYLE = """
body.jp-Notebook { max-width: 1100px; margin: 0 auto; }
.amp-nav { display: flex; flex-wrap: wrap; gap: .3rem 1.2rem; padding: .6rem 1rem; border-bottom: 1px solid #dde3ea;
           font: 15px system-ui; }
.amp-nav a { color: #0b6bcb; text-decoration: none; } .amp-nav .next { margin-left: auto; }
.amp-widget { border-left: 3px solid #b9cbe0; padding: .2rem 0 .2rem .8rem; font: 14px/1.5 system-ui; }
.amp-widget img { max-width: 100%; }
.amp-row { display: flex; flex-wrap: wrap; gap: .8rem; align-items: flex-start; }
.amp-control { display: block; color: #5c6b7a; }
.jp-Cell .amp-widget pre { overflow-x: auto; font: 12px/1.4 'DejaVu Sans Mono', Menlo, Consolas, monospace; }
.amp-widget pre .amp-control { display: inline; } .amp-widget mark { background: #dbe6f2; }
.amp-hint { color: #5c6b7a; font-style: italic; }
.jp-RenderedImage img, .jp-RenderedHTMLCommon img, .jp-RenderedHTMLCommon video { max-width: 100%; height: auto; }
@media (max-width: 700px) { .jp-InputPrompt, .jp-OutputPrompt { display: none; } }
"""

_TEMPLATE = """{%- extends 'lab/index.html.j2' -%}
{%- block html_head_js -%}{%- endblock -%}
{%- block jupyter_widgets -%}{%- endblock -%}
{%- block html_head_js_mathjax -%}{%- endblock -%}
{%- block html_head_js_mermaidjs -%}{%- endblock -%}
{%- block html_head_css -%}<style>{{ resources.page_style }}</style>{%- endblock -%}
{%- block body_header -%}{{ super() }}{{ resources.navigation }}{%- endblock -%}
"""


def widget_state(notebook: nbformat.NotebookNode) -> Mapping[str, Mapping]:
    """The models of all widgets of an executed notebook, by model id."""
    return notebook.metadata.get("widgets", {}).get(_WIDGET_STATE, {}).get("state", {})


def write_page(
    notebook: nbformat.NotebookNode, path: Path, siblings: Sequence[str] = (), source_folder: Path | None = None
) -> Path:
    """Write an executed notebook as one self-contained HTML file and return its path.

    ``siblings`` are the names of the notebooks it stands among, in order: the page links to its
    neighbours, and links from one notebook to another lead to the other's page. Pictures that its text names are looked
    for from ``source_folder``, where the notebook itself is, and put into the page.
    """
    from jinja2 import DictLoader
    from nbconvert import HTMLExporter

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
                hint = '<p class="amp-hint">Its controls move in JupyterLab.</p>' if "amp-control" in shown else ""
                output["data"] = {"text/html": f'<div class="amp-widget">{shown}{hint}</div>'} if shown else {}
    exporter = HTMLExporter(extra_loaders=[DictLoader({"page.html.j2": _TEMPLATE})], template_file="page.html.j2")
    resources = {
        "metadata": {"name": title_of(notebook) or path.stem},
        "page_style": _PAGE_STYLE,
        "navigation": _navigation(path.stem, siblings),
    }
    body, _ = exporter.from_notebook_node(page, resources=resources)
    body = re.sub(r'(href="(?!\w+:)[\w./-]+)\.ipynb(["#])', r"\1.html\2", body)
    with atomic_path(path) as temporary:
        temporary.write_text(body, encoding="utf-8")
    return path


def _embed_pictures(text: str, folder: Path) -> str:
    """Markdown with its local pictures in it; nbconvert would take none from outside the notebook's own folder."""

    def embed(match: re.Match[str]) -> str:
        file = folder / match[2]
        if not file.is_file():
            return match[0]
        kind, content = file.suffix.removeprefix("."), base64.b64encode(file.read_bytes()).decode()
        return f"![{match[1]}](data:image/{kind};base64,{content})"

    return re.sub(r"!\[([^]]*)\]\((?!\w+:)([^)\s]+\.(?:gif|png|jpeg|webp))\)", embed, text)


def _navigation(name: str, siblings: Sequence[str]) -> str:
    links = ['<a href="index.html">All results</a>']
    if name in siblings:
        here = siblings.index(name)
        if here > 0:
            links.append(f'<a href="{siblings[here - 1]}.html">← {siblings[here - 1]}</a>')
        if here + 1 < len(siblings):
            links.append(f'<a class="next" href="{siblings[here + 1]}.html">{siblings[here + 1]} →</a>')
    return f'<nav class="amp-nav">{"".join(links)}</nav>'


def _widget_html(model_id: str, models: Mapping[str, Mapping]) -> str:
    """What a widget showed last, without its script; controls appear as their label and value."""
    model = models.get(model_id.removeprefix("IPY_MODEL_"), {})
    state, kind = model.get("state", {}), model.get("model_name", "")
    if kind == "OutputModel":
        return "".join(_output_html(output) for output in state.get("outputs", []))
    if "children" in state:
        children = "".join(_widget_html(child, models) for child in state["children"])
        return f'<div class="amp-row">{children}</div>' if kind == "HBoxModel" else f"<div>{children}</div>"
    if kind == "ImageModel":
        buffers = [b["data"] for b in model.get("buffers", []) if b.get("path") == ["value"]]
        return (
            f'<img alt="picture" src="data:image/{state.get("format", "png")};base64,{buffers[0]}">' if buffers else ""
        )
    if kind in ("HTMLModel", "HTMLMathModel"):
        return f"<div>{state.get('value', '')}</div>"
    if kind == "PlayModel":  # what it moves stands beside it
        return ""
    if kind == "SelectModel":
        return _list_html(state)
    label, value = state.get("description", ""), state.get("value", "")
    if kind == "TextareaModel":
        return f'<span class="amp-control">{html.escape(label)}</span><pre>{html.escape(value)}</pre>'
    if "_options_labels" in state and isinstance(state.get("index"), int):
        value = state["_options_labels"][state["index"]]
    text = f"{label} {value}" if value not in ("", None) else label
    return f'<span class="amp-control">{html.escape(text)}</span>' if text and "bar_style" not in state else ""


def _list_html(state: Mapping) -> str:
    """A list box with all its rows, the chosen one marked."""
    rows = [html.escape(row) for row in state.get("_options_labels", ())]
    if isinstance(state.get("index"), int):
        rows[state["index"]] = f"<mark>{rows[state['index']]}</mark>"
    title = f'<strong class="amp-control">{html.escape(state.get("description", ""))}</strong>'
    return "<pre>" + "\n".join([title, *rows]) + "</pre>"


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
    """The first heading of a notebook, without its number sign; empty when there is none."""
    for cell in notebook.cells:
        if cell.cell_type == "markdown" and (match := re.search(r"^#\s+(.+)$", cell.source, re.MULTILINE)):
            return match[1].strip()
    return ""


def _lead_of(notebook: nbformat.NotebookNode) -> str:
    """The first paragraph below the first heading, as plain text."""
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            for block in re.split(r"\n\s*\n|\n(?=[#|>-])", cell.source):
                text = " ".join(line for line in block.splitlines() if not line.startswith("#")).strip()
                if text and not text.startswith(("|", ">", "-", "[", "<", "!")):
                    return re.sub(r"\[([^]]*)\]\([^)]*\)|[*`_]{1,2}(?=\S)|(?<=\S)[*`]{1,2}", r"\1", text)
    return ""


def write_index(output: Path, names: Sequence[str]) -> Path:
    """Write ``index.html``, which leads to everything that is in ``output`` now, and return its path.

    ``names`` are the notebooks in their order. The page is made from the folder alone, so that it is
    complete also when only one notebook was executed again.
    """
    sections = [
        ("Notebooks", _notebook_list(output, names)),
        ("Videos", _videos(output)),
        ("Metrics", _metrics(output / "metrics.json")),
        ("Figures", _figures(output)),
    ]
    body = "".join(f"<section><h2>{title}</h2>{content}</section>" for title, content in sections if content)
    others = [folder for folder in ("run",) if (output / folder).is_dir()]
    if others:
        body += "<h2>Training run</h2>" + "".join(f'<p><a href="{name}/">{name}/</a></p>' for name in others)
    page = (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>AMP workspace: results</title><style>{_STYLE}</style></head><body><main>"
        "<h1>From a motion file to a robot that walks like it</h1>"
        f'<p class="soft">What the notebooks produced: '
        f"read them in order, or go straight to the videos and the numbers.</p>{body}</main></body></html>\n"
    )
    with atomic_path(output / "index.html") as temporary:
        temporary.write_text(page, encoding="utf-8")
    return output / "index.html"


def _notebook_list(output: Path, names: Sequence[str]) -> str:
    items = []
    for name in names:
        for stem in (name, f"{name}.failed"):
            if not (output / f"{stem}.html").exists() or not (output / f"{stem}.ipynb").exists():
                continue
            notebook = nbformat.read(output / f"{stem}.ipynb", as_version=4)
            seconds = notebook.metadata.get("papermill", {}).get("duration") or 0.0
            verdict = '<span class="failed">failed</span> · ' if stem != name else ""
            items.append(
                f'<li><a href="{stem}.html"><strong>{html.escape(title_of(notebook) or name)}</strong></a>'
                f'<span class="time">{verdict}{seconds:.0f} s · <a href="{stem}.ipynb">notebook</a></span>'
                f'<p class="soft">{html.escape(_lead_of(notebook))}</p></li>'
            )
    return f"<ol>{''.join(items)}</ol>" if items else ""


def _caption(path: Path) -> str:
    return html.escape(re.sub(r"^(\d+)\s", r"\1 · ", path.stem.replace("_", " ")))


def _videos(output: Path) -> str:
    found = sorted(output.glob("videos/*.mp4"))
    tiles = "".join(
        f'<figure><video src="{_link(path, output)}" controls muted loop playsinline preload="metadata">'
        f"</video><figcaption>{_caption(path)}</figcaption></figure>"
        for path in found
    )
    return f'<div class="grid wide">{tiles}</div>' if tiles else ""


def _figures(output: Path) -> str:
    found = sorted([*output.glob("figures/*.png"), *output.glob("figures/*.svg")])
    tiles = "".join(
        f'<figure><a href="{_link(path, output)}"><img src="{_link(path, output)}" alt="{_caption(path)}"'
        f' loading="lazy"></a><figcaption>{_caption(path)}</figcaption></figure>'
        for path in found
    )
    return f'<div class="grid">{tiles}</div>' if tiles else ""


def _link(path: Path, output: Path) -> str:
    return html.escape(path.relative_to(output).as_posix())


def _metrics(path: os.PathLike) -> str:
    try:
        metrics = json.loads(Path(path).read_text(encoding="utf-8"))
    except (FileNotFoundError, json.JSONDecodeError):
        return ""
    rows = "".join(
        f'<tr><td>{html.escape(key)}</td><td class="number">{_number(value)}</td></tr>'
        for key, value in metrics.items()
    )
    link = '<p class="soft"><a href="metrics.json">metrics.json</a></p>'
    return f'<div class="table"><table>{rows}</table></div>{link}'


def _number(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, int | float) else html.escape(str(value))
