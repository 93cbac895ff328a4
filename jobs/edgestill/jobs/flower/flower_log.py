"""Where Flower's own log lines go: to the run's log, and warnings to the terminal too."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

FLOWER, OURS = "flwr", "edgestill"


@contextmanager
def flower_lines_kept() -> Iterator[None]:
    """Bring Flower's lines to where edgestill's go inside the block, each on one line."""
    logger = logging.getLogger(FLOWER)
    handlers, level = list(logger.handlers), logger.level
    logger.handlers[:] = [_ToOurs()]
    logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.handlers[:] = handlers
        logger.setLevel(level)


class _ToOurs(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        text = " ".join(record.getMessage().split())
        if not text:
            return
        line = logging.makeLogRecord({**record.__dict__, "msg": f"flower: {text}", "args": ()})
        for handler in logging.getLogger(OURS).handlers:
            to_file = isinstance(handler, logging.FileHandler)
            if record.levelno >= (handler.level if to_file else logging.WARNING):
                handler.handle(line)
