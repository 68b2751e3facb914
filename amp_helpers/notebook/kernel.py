"""The kernel of ``make lab``: opening a notebook does not change it.

JupyterLab writes into each notebook that it opens what the kernel says of its language and the name it is displayed
under. Version and other details of Python differ between machines, so every notebook would count as changed.
"""

from typing import Any, ClassVar

from ipykernel.ipkernel import IPythonKernel
from jupyter_client.kernelspec import KernelSpec


class PlainKernel(IPythonKernel):
    """IPython's kernel, which names its language alone."""

    language_info: ClassVar[dict[str, Any]] = {"name": "python"}


class PlainKernelSpec(KernelSpec):
    """A kernelspec that starts :class:`PlainKernel` in place of IPython's own, under the name in the notebooks."""

    def __init__(self, **content: Any) -> None:
        super().__init__(**content)
        if "ipykernel_launcher" in self.argv:
            self.argv = [*self.argv, f"--IPKernelApp.kernel_class={PlainKernel.__module__}.{PlainKernel.__name__}"]
            self.display_name = "Python 3"
