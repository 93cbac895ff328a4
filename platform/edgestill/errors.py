"""Every exception that edgestill raises on purpose.

EdgestillError
├── InputError            what the user gave is wrong; the command line exits 2
│   ├── ConfigurationError    a key of the configuration
│   ├── DataError             a file of a dataset
│   └── CheckpointError       a saved run that cannot be taken up
├── PromqlError           a question that a Prometheus server did not answer; a run goes on
├── FrameError            bytes from another tier that are not a valid frame
├── RateError             no rate of a codec keeps within a request's bytes or time
└── RunError              a run that began and failed; the command line exits 3

Each message is one line: what was wrong, where (file, key, device, round), and what would be right.
"""


class EdgestillError(Exception):
    """Root of all exceptions raised on purpose."""


class InputError(EdgestillError):
    """What the user gave is wrong."""


class ConfigurationError(InputError):
    """A key of the configuration is unknown, of the wrong type or out of range."""


class DataError(InputError):
    """A file of a dataset is missing, truncated or contradicts its manifest."""


class CheckpointError(InputError):
    """A saved run cannot be taken up."""


class PromqlError(EdgestillError):
    """A Prometheus server did not answer a question.

    Attributes:
        reason: one word: unreachable, timeout, unauthorized, status (any other of HTTP), not_json,
            malformed, too_large, bad_expression or misconfigured.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class FrameError(EdgestillError):
    """Bytes from another tier are not a valid frame; nothing was decoded from them."""


class RateError(EdgestillError):
    """No rate of a codec keeps within what a request may take: bytes, or time on its link."""


class RunError(EdgestillError):
    """A run that began could not be finished."""
