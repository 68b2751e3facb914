from .bundle import deploy_facts as deploy_facts
from .controller import Controller as Controller
from .network import DeployedPolicy as DeployedPolicy
from .network import write_onnx as write_onnx
from .observation import Observation as Observation
from .unitree import unitree_config as unitree_config
