"""The bundled data set ``scene_vqa``: questions about small objects in front of real photographs.

Sort-of-CLEVR (Santoro et al., NeurIPS 2017) on natural texture. A scene is a crop of 96 x 96 pixels
of one of two photographs, with six small objects of low contrast, one of each colour, square or
circle. Of each scene ten questions are asked about one object and ten about how objects relate. The
photographs are real; objects and questions are SYNTHETIC. No pixel of a photograph is behind scenes
of two of the splits public, validation and test; private scenes share the blocks of public ones.

Here lie the committed artefact (``scene_vqa.zip``, its SHA-256 beside it: manifest, descriptions,
questions, answers and the SHA-256 of the pictures) and the script that made it: ``python -m
edgestill.data.scene_vqa.build --out FILE``. The pictures are rendered at first use, into the cache,
from the photographs of :mod:`edgestill.data.composites`.

As a plain data set its label is the number of circles, 0 to 6.
"""

from edgestill.data.scene_vqa.backgrounds import SIDE
from edgestill.data.scene_vqa.folder import SceneVqa, load_scene_vqa, scene_vqa_folder
from edgestill.data.scene_vqa.questions import (
    ANSWERS,
    ASKED_OF_EACH,
    COLOURS,
    QUESTION_WIDTH,
    SHAPES,
)

__all__ = [
    "ANSWERS",
    "ASKED_OF_EACH",
    "COLOURS",
    "QUESTION_WIDTH",
    "SHAPES",
    "SIDE",
    "SceneVqa",
    "load_scene_vqa",
    "scene_vqa_folder",
]
