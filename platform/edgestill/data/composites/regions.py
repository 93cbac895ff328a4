"""Which part of which photograph lies behind what: no pixel is behind samples of two splits.

Each photograph is cut into 3 x 4 blocks of 142 x 160 pixels, each block belongs to one split, and a
crop lies within one block.
"""

from dataclasses import dataclass

from edgestill.data.composites.draws import Draws
from edgestill.data.composites.pictures import PHOTOGRAPHS

BLOCK_HEIGHT, BLOCK_WIDTH = 142, 160
ORIENTATIONS = 8
"""Of a square: four turns, with and without a flip."""

# One letter for each block: public, validation, private, test. Each split has sky or blur, and
# texture, of both photographs.
_MAP = {
    "china": ("pvpr", "tprp", "rpvt"),
    "flower": ("prpv", "prtp", "tvrp"),
}
_SPLITS = {"p": "public", "v": "validation", "r": "private", "t": "test"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A square crop of a photograph, and how it is turned.

    Each pixel of the crop is the mean of ``zoom`` x ``zoom`` pixels of the photograph.
    """

    photograph: str
    top: int
    left: int
    side: int
    zoom: int = 1
    orientation: int = 0


def blocks(split: str) -> list[tuple[str, int, int]]:
    """Return the blocks of a split, each with its photograph, top and left."""
    return [
        (name, row * BLOCK_HEIGHT, column * BLOCK_WIDTH)
        for name in PHOTOGRAPHS
        for row, letters in enumerate(_MAP[name])
        for column, letter in enumerate(letters)
        if _SPLITS[letter] == split
    ]


def draw_place(split: str, side: int, draws: Draws, *, zoom: int = 1) -> Place:
    """Return a crop within one of the split's blocks; it takes four words."""
    allowed = blocks(split)
    name, top, left = allowed[draws.integer(0, len(allowed) - 1)]
    return Place(
        photograph=name,
        top=top + draws.integer(0, BLOCK_HEIGHT - side * zoom),
        left=left + draws.integer(0, BLOCK_WIDTH - side * zoom),
        side=side,
        zoom=zoom,
        orientation=draws.integer(0, ORIENTATIONS - 1),
    )
