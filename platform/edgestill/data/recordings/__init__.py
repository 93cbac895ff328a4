"""Acted emotions as published: CREMA-D and RAVDESS, from the folders as they were downloaded.

========== ==================================================================== =================
layout     files                                                                classes
========== ==================================================================== =================
crema_d    AudioWAV/1001_DFA_ANG_XX.wav: actor, sentence, emotion, level        6, as ``affect``
ravdess    Actor_12/03-01-06-01-02-01-12.wav: modality, channel, emotion,       8, as published
           intensity, statement, repetition, actor; songs (channel 02) are left
           out
both       frames/CLIP/*.png or .jpg, optional: the clip's frames, in order
========== ==================================================================== =================

Videos are not decoded here. Frames must be taken out beforehand by any decoder, into a folder of
the video's name without its ending, such as ``frames/1001_DFA_ANG_XX`` or (RAVDESS, modality 01
or 02) ``frames/01-01-06-01-02-01-12``; the middle one is used. Without ``frames`` a data set has
the audio alone. Users are the actors, and each actor is in one split.
"""

from edgestill.data.recordings.assemble import RECORDINGS, load_recordings

__all__ = ["RECORDINGS", "load_recordings"]
