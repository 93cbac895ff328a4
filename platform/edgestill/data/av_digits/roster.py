"""Who speaks and writes what: 275 users, each in one split, with their own voice and images.

The public part is large and each device's own part small, as in SFD (Chen et al., IEEE TMC 2025):
large public data for the teacher, scarce labels at the user.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice, product

from edgestill.seeds import generator

SEED = 20_261_121
IMAGES = 1_797
IMAGES_PER_USER = {"public": 8, "validation": 8, "private": 4, "test": 8}
RENDERINGS = 4
USERS = {"public": 119, "validation": 19, "private": 100, "test": 37}

ACCENTS = (
    "en-gb",
    "en-us",
    "en-gb-scotland",
    "en-gb-x-gbclan",
    "en-gb-x-rp",
    "en-gb-x-gbcwmd",
    "en-029",
    "en-us-nyc",
)
# espeak-ng's voice variants (timbres). None is in two splits; the accents are in all.
VARIANTS = {
    "public": (
        *("f1", "f3", "m1", "m3", "m5", "m7", "Alex", "Andy"),
        *("Annie", "Denis", "Gene", "Jacky", "belinda", "boris", "grandma", "paul"),
    ),
    "validation": ("f2", "m2", "Lee", "anika", "ed", "pedro"),
    "private": (
        *("f4", "m4", "m6", "Alicia", "Diogo", "Henrique", "Mario", "Mike"),
        *("aunty", "antonio", "linda", "max", "quincy", "robert", "travis", "zac"),
    ),
    "test": ("f5", "m8", "Andrea", "norbert", "steph", "grandpa", "victor", "miguel"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """One person: their index, their split, the images dealt to them and their voice."""

    index: int
    split: str
    images: tuple[int, ...]
    accent: str
    variant: str

    @property
    def voice(self) -> str:
        """The name that espeak-ng's ``-v`` takes."""
        return f"{self.accent}+{self.variant}"


def users() -> Iterator[User]:
    """Yield all users in split order, so that every split is a range of samples.

    Users are invented. Images are dealt in runs of neighbours; scikit-learn does not tell who
    really wrote them, so one real writer may be in several splits. Within a split
    no two users have the same pair of accent and variant.
    """
    runs = _runs()
    index = 0
    for split, count in USERS.items():
        voices = list(product(ACCENTS, VARIANTS[split]))
        order = generator(SEED, f"voices/{split}").permutation(len(voices))[:count]
        for place in order:
            accent, variant = voices[place]
            images = next(runs[split])
            yield User(index=index, split=split, images=images, accent=accent, variant=variant)
            index += 1


def _runs() -> dict[str, Iterator[tuple[int, ...]]]:
    """Return by split its users' runs of neighbouring images, from a seeded order of blocks of 4.

    The last user of the last split gets what is left.
    """
    blocks = [tuple(range(start, min(start + 4, IMAGES))) for start in range(0, IMAGES, 4)]
    order = generator(SEED, "images").permutation(len(blocks) - 1)
    shuffled = iter([*(blocks[place] for place in order), blocks[-1]])
    return {split: _joined(shuffled, per_user // 4) for split, per_user in IMAGES_PER_USER.items()}


def _joined(blocks: Iterator[tuple[int, ...]], count: int) -> Iterator[tuple[int, ...]]:
    """Yield runs of ``count`` blocks, lazily: the splits share one stream of blocks."""
    while run := tuple(image for block in islice(blocks, count) for image in block):
        yield run
