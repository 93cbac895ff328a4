"""A served model whose label is the sum of what it is sent, and its frames."""

import time

import numpy as np

from edgestill.codec import decode_arrays, encode_arrays
from edgestill.errors import FrameError
from edgestill.inference.answer import Answer

FINGERPRINT = 7


class Sums:
    """Answers with a confidence, as a tier; a sum of -1 is a fault of the model."""

    def __init__(self, *, by="cloud", confidence=1.0, offset=0, pause_s=0.0, doubt=0.2):
        self.fingerprint = FINGERPRINT
        self.doubt = doubt
        self.by, self.confidence = by, confidence
        self.offset, self.pause_s = offset, pause_s
        self.batches = []

    def describe(self):
        return {"answers": "sums"}

    def read(self, frame):
        arrays = decode_arrays(frame, fingerprint=self.fingerprint, max_bytes=1 << 16)
        if arrays.keys() != {"x"} or arrays["x"].dtype != np.int32:
            raise FrameError("frame: expected one array x of int32")
        return int(arrays["x"].sum())

    def answer(self, contents):
        time.sleep(self.pause_s)
        self.batches.append(len(contents))
        if -1 in contents:
            raise RuntimeError("a fault of the model")
        return [
            Answer(by=self.by, label=value + self.offset, confidence=self.confidence)
            for value in contents
        ]


def frame(value, fingerprint=FINGERPRINT):
    return encode_arrays({"x": np.array([value], np.int32)}, bits=32, fingerprint=fingerprint)
