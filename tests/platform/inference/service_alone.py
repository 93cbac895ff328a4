"""A program: one replica in a process of its own, until its standard input ends.

Prints its port; its memory can be looked at from outside.
"""

import sys

from sums_model import Sums

from edgestill.inference.service import ServiceServer, ServiceSettings

server = ServiceServer(Sums(), ServiceSettings(max_frame_bytes=1 << 16), host="127.0.0.1", port=0)
print(server.port, flush=True)
sys.stdin.read()
server.stop()
