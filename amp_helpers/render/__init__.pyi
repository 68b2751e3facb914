from .comparison import write_comparison as write_comparison
from .gallery import write_gallery as write_gallery
from .gl import gl_available as gl_available
from .renderer import CAMERAS as CAMERAS
from .renderer import Renderer as Renderer
from .renderer import shared_renderer as shared_renderer
from .renderer import side_by_side as side_by_side
from .renderer import write_video as write_video
