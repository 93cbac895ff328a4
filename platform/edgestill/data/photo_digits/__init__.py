"""The bundled data set ``photo_digits``: handwritten digits blended over crops of photographs.

After MNIST-M (Ganin & Lempitsky, ICML 2015), see :mod:`edgestill.data.composites`; here the digits
vary in size, place, angle and colour. One sample is (3, 32, 32) uint8. Digits and photographs are
real, their combination is not. No image of a digit and no pixel of a photograph is in two splits;
who wrote the images is not told by the source, so a writer may be.

Here lie the committed artefact (``photo_digits.zip``, its SHA-256 beside it: manifest, labels and
the SHA-256 of the pictures) and the script that made it: ``python -m
edgestill.data.photo_digits.build --out FILE``. The pictures are rendered at first use, into the
cache.
"""

from edgestill.data.photo_digits.folder import photo_digits_folder

__all__ = ["photo_digits_folder"]
