"""The bundled set ``digit_scenes``: handwritten digits to be found over crops of photographs.

A scene is (3, 96, 96) uint8 with up to five digits of 14 to 40 pixels, some of the scenes with
none. Digits are blended as in :mod:`edgestill.data.composites`; boxes are tight around their ink.
Digits and photographs are real, their combination is not. No image of a digit and no pixel of a
photograph is in two splits, and an image is in the split that it has in
:mod:`edgestill.data.photo_digits`.

Here lie the committed artefact (``digit_scenes.zip``, its SHA-256 beside it: manifest, boxes,
labels and the SHA-256 of the pictures) and the script that made it: ``python -m
edgestill.data.digit_scenes.build --out FILE``. The pictures are rendered at first use, into the
cache.
"""

from edgestill.data.digit_scenes.load import load_digit_scenes

__all__ = ["load_digit_scenes"]
