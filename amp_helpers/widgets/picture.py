"""Pictures as widgets take them."""

import io

import numpy as np


def png(image: np.ndarray) -> bytes:
    """An image (H, W, 3) uint8 as PNG."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, format="PNG")
    return buffer.getvalue()
