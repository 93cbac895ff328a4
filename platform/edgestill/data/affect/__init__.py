"""The bundled data set ``affect``: six emotions in invented faces, voices and bodies.

Here lie the committed artefact (``affect.zip``, its SHA-256 beside it) and the script that made
it: ``python -m edgestill.data.affect.build --out FILE``. Only the script needs espeak-ng.

Everything is *synthetic*; nobody showed or felt anything. One sample is a moment of one user:

- visual, (1, 24, 24) uint8: a face drawn from expression parameters, in some light and pose;
- audio, (1, 24, 32) uint8: log-mel spectrogram of words spoken by espeak-ng, with prosody;
- sensor, (4, 48) int8: heart rate, skin conductance, breath and movement, 12 s at 4 Hz.

The classes are neutral, happy, sad, angry, fearful and disgusted. Each of the 138 users belongs to
one of six groups that express emotions alike and whose rooms, accents and bodies at rest are alike,
and has a style of their own on top, in each modality. All groups are in all splits, no user is in
two. A user's 48 samples are eight passes through the six emotions. With partition kind ``user`` and
``evaluation.held_out_share: 0.25`` each private user holds the last two passes out of its training,
and personal and global students are compared on them.
"""
