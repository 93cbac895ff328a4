"""What the bundled sets over photographs share: the pictures, and how digits are blended in.

After MNIST-M (Ganin & Lempitsky, "Unsupervised Domain Adaptation by Backpropagation", ICML 2015): a
digit inverts what lies behind it, as |photograph - digit| in each channel. Photographs and digits
are real, and are those that scikit-learn ships; their combination is not.

Here lie the pictures as a committed artefact (``composites.zip``, its SHA-256 beside it; the
photographs are lossless WebP) and the script that made it: ``python -m
edgestill.data.composites.build --out FILE``. Only the script needs scikit-learn. All that is
rendered is computed in integers and drawn from a hash, so that every machine renders the same.
"""

from edgestill.data.composites.blending import blend, crop
from edgestill.data.composites.deal import IMAGES, dealt
from edgestill.data.composites.draws import Draws
from edgestill.data.composites.glyphs import CENTRE_STEPS, Pose, coverage, draw_ink, draw_pose
from edgestill.data.composites.pictures import Digits, digits, photographs
from edgestill.data.composites.regions import ORIENTATIONS, Place, draw_place
from edgestill.data.composites.rendering import rendered

__all__ = [
    "CENTRE_STEPS",
    "IMAGES",
    "ORIENTATIONS",
    "Digits",
    "Draws",
    "Place",
    "Pose",
    "blend",
    "coverage",
    "crop",
    "dealt",
    "digits",
    "draw_ink",
    "draw_place",
    "draw_pose",
    "photographs",
    "rendered",
]
