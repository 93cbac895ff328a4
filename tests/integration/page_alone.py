"""The page of a run that logs markup, served until standard input is closed; prints its port."""

import sys

from edgestill.page import LogLine, RunStarted
from edgestill.page.server import PageServer

MARKUP = "<script>window.taken = true</script><img src=x onerror='window.taken = true'>"

if __name__ == "__main__":
    server = PageServer()
    print(server.start(), flush=True)
    run = RunStarted(
        name=MARKUP,
        folder=MARKUP,
        rounds=1,
        profiles={MARKUP: MARKUP},
        policy="threshold",
        delta=1e-5,
        epsilon_budget=None,
        started_s=0.0,
    )
    server.take([run, LogLine(time_s=0.0, level="INFO", text=MARKUP, stage=MARKUP)])
    sys.stdin.read()
    server.stop()
