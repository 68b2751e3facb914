"""Widgets as plain HTML: what they showed last, for pages without a kernel."""

import html
from collections.abc import Mapping
from typing import TYPE_CHECKING

from amp_helpers.widgets.page_picture import picture_html

if TYPE_CHECKING:
    import ipywidgets

LIVE = "amp-panel"
"""CSS class of a live widget that has a still."""
HINT = "The controls work in JupyterLab."


def widget_html(model_id: str, models: Mapping[str, Mapping]) -> str:
    """Return a widget's last state as HTML; a control becomes its label and value.

    Args:
        model_id: the widget's model ID, with or without the prefix ``IPY_MODEL_``.
        models: model ID -> model, as in the widget state of a notebook's metadata.
    """
    model = models.get(model_id.removeprefix("IPY_MODEL_"), {})
    state, kind = model.get("state", {}), model.get("model_name", "")
    if kind == "OutputModel":
        return "".join(_output_html(output) for output in state.get("outputs", []))
    if "children" in state:
        children = "".join(widget_html(child, models) for child in state["children"])
        return f'<div class="amp-row">{children}</div>' if kind == "HBoxModel" else f"<div>{children}</div>"
    if kind == "ImageModel":
        buffers = [b["data"] for b in model.get("buffers", []) if b.get("path") == ["value"]]
        picture = f"data:image/{state.get('format', 'png')};base64,"
        return picture_html(picture + buffers[0], state.get("tooltip") or "picture") if buffers else ""
    if kind in ("HTMLModel", "HTMLMathModel"):
        focus = ' tabindex="0"' if "<table" in state.get("value", "") else ""  # a wide table scrolls
        return f"<div{focus}>{state.get('value', '')}</div>"
    label, value = state.get("description", ""), state.get("value", "")
    if kind == "PlayModel" or (kind == "SelectionSliderModel" and not label):  # the control that it moves has the value
        return ""
    if kind == "ToggleButtonModel":
        value = ""
    if kind == "TextareaModel":
        return f'<span class="amp-control">{html.escape(label)}</span><pre>{html.escape(value)}</pre>'
    if "_options_labels" in state and isinstance(state.get("index"), int):
        value = state["_options_labels"][state["index"]]
    if kind == "CheckboxModel":
        label, value = f"{'☑' if value else '☐'} {label}", ""
    if isinstance(value, list | tuple):  # of a slider with two ends
        value = " to ".join(f"{end:.4g}" for end in value)
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
            alt = output.get("metadata", {}).get(kind, {}).get("alt") or "figure"
            return picture_html(f"data:{kind};base64,{''.join(data[kind]).strip()}", alt)
    return f"<pre>{html.escape(''.join(data.get('text/plain', '')))}</pre>"


_STYLE = """<style>
.jp-OutputArea-child .amp-still { display: none; }
.jp-OutputArea-child:not(:has(+ .jp-OutputArea-child .LIVE)) > * > .amp-still { display: block; }
.jp-OutputArea-child:has(.amp-still):has(+ .jp-OutputArea-child .LIVE),
.jp-OutputArea-child:has(.amp-still) + .jp-OutputArea-child:has(.jupyter-widgets):not(:has(.LIVE)) { display: none; }
.amp-still { border-left: 3px solid #b9cbe0; padding-left: .8rem; }
.amp-still .amp-row { display: flex; flex-wrap: wrap; gap: .8rem; align-items: flex-start; }
.amp-still .amp-control { display: block; }
.amp-still input { display: none; }
.amp-still img { max-width: 100%; }
</style>""".replace("LIVE", f"{LIVE}:not(.jupyter-widgets-disconnected)")
"""Show a still in place of what JupyterLab has without a kernel: a widget that is disconnected or "not found"."""


def is_still(output: Mapping) -> bool:
    """Whether an output is a still of the widget that follows it."""
    return 'class="amp-still"' in "".join(output.get("data", {}).get("text/html", ""))


def still(widget: "ipywidgets.DOMWidget") -> str:
    """Return a widget as HTML that JupyterLab shows in the place of a widget whose kernel has ended."""
    from ipywidgets.embed import dependency_state

    models = dependency_state([widget], drop_defaults=False)
    shown = widget_html(str(widget.model_id), models)
    sentence = "This is a picture of a widget whose kernel has ended. Run the cell to use it."
    return f'{_STYLE}<div class="amp-still"><p><em>{sentence}</em></p>{shown}</div>'
