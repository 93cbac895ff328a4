"""A trained feature codec as integers: it codes without CompressAI and without torch."""

from edgestill.codec.frozen.codec import CODEC_TOKENS, MAX_TOKENS_BYTES, FrozenCodec

__all__ = ["CODEC_TOKENS", "MAX_TOKENS_BYTES", "FrozenCodec"]
