"""The bundled data set ``av_digits``: handwritten, spoken and written-in-the-air digits.

Here lie the committed artefact (``av_digits.zip``, its SHA-256 beside it) and the script that made
it: ``python -m edgestill.data.av_digits.build --out FILE``. Only the script needs espeak-ng and
scikit-learn; reading the data needs neither.

One sample is one image, one spoken rendering of its digit and one inertial trace of writing it:

- visual, (1, 8, 8) uint8: scikit-learn's handwritten digits, real, most of their energy removed;
- audio, (1, 24, 32) uint8: log-mel spectrogram of an espeak-ng voice in background noise;
- sensor, (6, 48) int8: a *synthetic* accelerometer and gyroscope at the wrist.

Each of the 275 invented users has a voice, a simulated hand and 8 images of their own (4 in the
private part, whose labels are scarce), and lies in one split. No image, voice or hand is in two
splits; who really wrote the images is not told by the source, so a real writer may be.
"""
