"""What coding costs: bytes against the model's own cross-entropy, time against CompressAI's coder.

Small codecs are trained on synthetic correlated tokens. Of each, requests of several sizes are
coded and decoded, here and in processes with other threads and kernels. Nothing is imported here,
since those processes load this package and shall be quick to start.
"""
