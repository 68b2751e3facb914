"""Out of the workspace: a policy as ONNX with everything that a robot's control loop needs, and that loop."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
