"""Who is in ``affect``: 138 invented users in six groups, each user in one split."""

from collections.abc import Iterator
from dataclasses import dataclass

from edgestill.seeds import generator

SEED = 20_261_122
EMOTIONS = ("neutral", "happy", "sad", "angry", "fearful", "disgusted")
PASSES = 8
"""Times that each user goes through the six emotions."""
GROUPS = 6
USERS = {"public": 60, "validation": 12, "private": 48, "test": 18}

# Each group's own accent of espeak-ng.
ACCENTS = ("en-gb", "en-us", "en-gb-scotland", "en-gb-x-gbcwmd", "en-029", "en-us-nyc")
# espeak-ng's voice variants (timbres). None is in two splits; the accents are in all.
VARIANTS = {
    "public": ("f1", "f3", "m1", "m3", "m5", "m7", "Alex", "Andy", "Annie", "Denis"),
    "validation": ("f2", "m2"),
    "private": ("f4", "m4", "m6", "Alicia", "Diogo", "Mike", "linda", "max"),
    "test": ("f5", "m8", "Andrea"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """One person: index, split, group 0..5 and voice."""

    index: int
    split: str
    group: int
    variant: str

    @property
    def voice(self) -> str:
        """The name that espeak-ng's ``-v`` takes; no two users have the same."""
        return f"{ACCENTS[self.group]}+{self.variant}"


def users() -> Iterator[User]:
    """Yield all users in split order, so that every split is a range of samples."""
    index = 0
    for split, count in USERS.items():
        for place in range(count):
            variant = VARIANTS[split][place // GROUPS]
            yield User(index=index, split=split, group=place % GROUPS, variant=variant)
            index += 1


def emotions_of(user: User) -> list[int]:
    """Return the labels of a user's samples in order: each pass holds each emotion once."""
    rng = generator(SEED, "order", device=user.index)
    return [int(label) for _ in range(PASSES) for label in rng.permutation(len(EMOTIONS))]
