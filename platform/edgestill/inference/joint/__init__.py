"""Edge and cloud answer together (ECCENTRIC: Kamani, Cheng & Chen, arXiv 2511.11719).

What is needed to run a trained model; how one is trained is
:mod:`edgestill.inference.joint.training`, which no device imports.
"""

from edgestill.inference.joint.classification import Classification
from edgestill.inference.joint.cloud import Content, Heavier, JointCloud
from edgestill.inference.joint.edge import Edge, JointEdge, Looked
from edgestill.inference.joint.family import Family, PictureFamily, family_of
from edgestill.inference.joint.folder import (
    DESCRIPTION,
    SCHEMA,
    joint_folder,
    load_cloud,
    load_edge,
    save_joint,
)
from edgestill.inference.joint.inputs import JPEG_QUALITY, Input, input_frame, jpeg_of, picture_of
from edgestill.inference.joint.model import RULES, Gate, JointModel, owned
from edgestill.inference.joint.networks import CloudNetwork, EdgeNetwork
from edgestill.inference.joint.samples import Samples, classified_samples
from edgestill.inference.joint.task import Task

__all__ = [
    "DESCRIPTION",
    "JPEG_QUALITY",
    "RULES",
    "SCHEMA",
    "Classification",
    "CloudNetwork",
    "Content",
    "Edge",
    "EdgeNetwork",
    "Family",
    "Gate",
    "Heavier",
    "Input",
    "JointCloud",
    "JointEdge",
    "JointModel",
    "Looked",
    "PictureFamily",
    "Samples",
    "Task",
    "classified_samples",
    "family_of",
    "input_frame",
    "joint_folder",
    "jpeg_of",
    "load_cloud",
    "load_edge",
    "owned",
    "picture_of",
    "save_joint",
]
