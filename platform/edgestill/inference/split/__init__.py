"""A model split between device and server: tokens of a picture travel in one frame.

The device encodes a picture into tokens, merges them and codes them; the server answers questions
from the frame. After TOFC (Yuan et al., IEEE TMC 25(4), 2026), on the scenes of
:mod:`edgestill.data.scene_vqa`.
"""

from edgestill.inference.one_cycle import Plan
from edgestill.inference.split.answering import AnswerHead
from edgestill.inference.split.encoder import SceneHead, TokenEncoder
from edgestill.inference.split.fitting import (
    Asked,
    fit_answers,
    fit_jointly,
    fit_scenes,
    merged_tokens,
)
from edgestill.inference.split.halves import DeviceHalf, ServerHalf, load_halves, save_halves
from edgestill.inference.split.merging import Merging
from edgestill.inference.split.training import Backbone, Epochs, train_backbone, train_codec

__all__ = [
    "AnswerHead",
    "Asked",
    "Backbone",
    "DeviceHalf",
    "Epochs",
    "Merging",
    "Plan",
    "SceneHead",
    "ServerHalf",
    "TokenEncoder",
    "fit_answers",
    "fit_jointly",
    "fit_scenes",
    "load_halves",
    "merged_tokens",
    "save_halves",
    "train_backbone",
    "train_codec",
]
