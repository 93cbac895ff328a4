"""What the names of published clips say: who acts which emotion."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from edgestill.errors import DataError


@dataclass(frozen=True, slots=True, kw_only=True)
class Clip:
    """One recorded clip.

    ``frame_folders`` are the names under which its frames may lie, best first.
    """

    wav: Path
    actor: int
    emotion: int
    frame_folders: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Corpus:
    """A published corpus.

    ``find`` yields the wav files of a folder, ``read`` gives a file's clip, or None for one that is
    left out. ``emotions`` are the classes in order.
    """

    name: str
    emotions: tuple[str, ...]
    source: str
    expected: str
    find: Callable[[Path], Iterator[Path]]
    read: Callable[[Path], Clip | None]


# Cao et al., "CREMA-D: Crowd-Sourced Emotional Multimodal Actors Dataset", IEEE Transactions on
# Affective Computing 5(4), 2014. One published name has the level X.
_CREMA_D = re.compile(r"(1\d{3})_([A-Z]{3})_(NEU|HAP|SAD|ANG|FEA|DIS)_(LO|MD|HI|XX?)")
_CREMA_D_CODES = ("NEU", "HAP", "SAD", "ANG", "FEA", "DIS")

# Livingstone & Russo, "The Ryerson Audio-Visual Database of Emotional Speech and Song", PLoS ONE
# 13(5), 2018.
_RAVDESS = re.compile(r"03-(0[12])-(0[1-8])-(0[12])-(0[12])-(0[12])-(0[1-9]|1\d|2[0-4])")
_SPEECH = "01"


def _crema_d_files(folder: Path) -> Iterator[Path]:
    yield from (folder / "AudioWAV").glob("*.wav")


def _crema_d(wav: Path) -> Clip | None:
    found = _CREMA_D.fullmatch(wav.stem)
    if found is None:
        raise _unknown(wav, "ACTOR_SENTENCE_EMOTION_LEVEL.wav, such as 1001_DFA_ANG_XX.wav")
    return Clip(
        wav=wav,
        actor=int(found[1]),
        emotion=_CREMA_D_CODES.index(found[3]),
        frame_folders=(wav.stem,),
    )


def _ravdess_files(folder: Path) -> Iterator[Path]:
    yield from folder.glob("Actor_*/*.wav")


def _ravdess(wav: Path) -> Clip | None:
    found = _RAVDESS.fullmatch(wav.stem)
    if found is None:
        raise _unknown(wav, "seven two-digit numbers, such as 03-01-06-01-02-01-12.wav")
    if wav.parent.name != f"Actor_{found[6]}":
        raise _unknown(wav, f"a folder Actor_{found[6]}")
    if found[1] != _SPEECH:
        return None
    rest = wav.stem.removeprefix("03")
    return Clip(
        wav=wav,
        actor=int(found[6]),
        emotion=int(found[2]) - 1,
        frame_folders=(f"01{rest}", f"02{rest}"),
    )


def _unknown(wav: Path, expected: str) -> DataError:
    return DataError(f"{wav} (data.path): not a name of this layout; expected {expected}")


CORPORA: Mapping[str, Corpus] = {
    "crema_d": Corpus(
        name="CREMA-D",
        emotions=("neutral", "happy", "sad", "angry", "fearful", "disgusted"),
        source="Cao et al., IEEE Transactions on Affective Computing 5(4), 2014",
        expected="AudioWAV/*.wav",
        find=_crema_d_files,
        read=_crema_d,
    ),
    "ravdess": Corpus(
        name="RAVDESS",
        emotions=(
            *("neutral", "calm", "happy", "sad", "angry"),
            *("fearful", "disgusted", "surprised"),
        ),
        source="Livingstone & Russo, PLoS ONE 13(5), 2018",
        expected="Actor_*/*.wav",
        find=_ravdess_files,
        read=_ravdess,
    ),
}


def clips_of(corpus: Corpus, folder: Path) -> list[Clip]:
    """Return the clips of a folder, in the order of actors and names.

    Raises:
        DataError: there is no such folder, no clip in it, or a name that the corpus does not have.
    """
    if not folder.is_dir():
        raise DataError(f"{folder} (data.path): no such folder; expected that of {corpus.name}")
    read = (corpus.read(wav) for wav in corpus.find(folder))
    clips = [clip for clip in read if clip is not None]
    if not clips:
        raise DataError(f"{folder} (data.path): no clips of {corpus.name}: {corpus.expected}")
    return sorted(clips, key=lambda clip: (clip.actor, clip.wav.name))
