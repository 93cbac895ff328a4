"""Codecs that are trained with the task; importing this takes seconds, coding needs none of it."""

from edgestill.codec.learned.coded import Coded
from edgestill.codec.learned.controls import QUANTISERS, Quantiser, ScalarCodec
from edgestill.codec.learned.model import KINDS, FeatureCodec, Kind

__all__ = ["KINDS", "QUANTISERS", "Coded", "FeatureCodec", "Kind", "Quantiser", "ScalarCodec"]
