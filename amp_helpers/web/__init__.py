"""A page that runs policies in a browser: MuJoCo as WebAssembly, onnxruntime-web and three.js in one HTML file."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
