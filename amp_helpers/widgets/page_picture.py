"""Pictures on pages that also phones read."""

import base64
import html
import io
import json

from PIL import Image, ImageChops, UnidentifiedImageError

from amp_helpers.plots.panels import PANELS


def picture_html(source: str, alt: str, width: int | None = None) -> str:
    """Return an image that a phone shows legibly, without a script: its panels below each other, or at its own size.

    Args:
        source: a ``data:`` URL. A PNG of :func:`amp_helpers.plots.panels.save_png` is cut into its panels, which are
            beside each other on a wide page.
        alt: describes the image.
        width: as shown, px; that of the file when ``None``.
    """
    shown = width or _png_width(source)
    if rows := _cut(source, shown):
        lines = "".join(f'<div style="display:flex;align-items:flex-start">{"".join(row)}</div>' for row in rows)
        opening = f'<div class="amp-panels" role="img" aria-label="{html.escape(alt)}"'
        return f'{opening} style="max-width:{shown}px">{lines}</div>'
    size = f' width="{width}"' if width else ""
    image = f'<img alt="{html.escape(alt)}"{size} src="{source}">'
    if shown <= _PHONE:
        return image
    label = html.escape(f"full size: {alt}")
    return f'<label class="amp-figure"><input type="checkbox" aria-label="{label}">{image}</label>'


_PHONE = 480  # px


def _cut(source: str, shown: int) -> list[list[str]]:
    """The panels of a picture as images, in rows; nothing for a picture that does not say where to cut it."""
    if not source.startswith("data:image/png;base64,"):
        return []
    try:
        picture = Image.open(io.BytesIO(base64.b64decode(source.partition(",")[2])))
    except UnidentifiedImageError:  # a browser shows the description of a damaged picture
        return []
    rows, upper = [], 0
    for end, ends in json.loads(picture.info.get(PANELS, "[]")):
        lower, left = round(end * picture.height), 0
        row = []
        for right in (round(end * picture.width) for end in ends):
            panel = picture.crop((left, upper, right, lower))
            row.append(_panel(panel, picture.width, shown, alone=len(ends) == 1))
            left = right
        rows.append(row)
        upper = lower
    return rows


def _panel(panel: Image.Image, full_width: int, shown: int, *, alone: bool) -> str:
    left, right = 0, panel.width
    if alone and (ink := ImageChops.invert(panel.convert("L")).getbbox()):  # a legend or title: without its margins
        left, right = ink[0], ink[2]
        panel = panel.crop((left, 0, right, panel.height))
    buffer = io.BytesIO()
    panel.save(buffer, format="PNG", optimize=True)
    content = base64.b64encode(buffer.getvalue()).decode()
    share, margin = (right - left) / full_width, left / full_width
    style = f"width:{share:.2%};margin-left:{margin:.2%};--own-width:{share * shown:.0f}px"
    return f'<img alt="" style="{style}" src="data:image/png;base64,{content}">'


def _png_width(source: str) -> int:
    content = source.partition(";base64,")[2]
    header = base64.b64decode(content[:32])
    return int.from_bytes(header[16:20]) if header.startswith(b"\x89PNG") else 0
