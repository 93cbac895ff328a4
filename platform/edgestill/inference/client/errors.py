"""Why a tier that was asked gave no answer."""

from edgestill.errors import EdgestillError


class CloudError(EdgestillError):
    """No answer came in time.

    ===========  ============================================================
    reason       what happened
    ===========  ============================================================
    resting      the breaker is open: it failed before and is left alone
    deadline     no whole answer within the deadline
    unreachable  no connection, or a passing fault of the service (429, 5xx)
    untrusted    its certificate is not trusted: another CA, another host, expired
    refused      the service refuses this request (400, 401, 409, 413)
    malformed    what came is not an answer
    ===========  ============================================================

    Attributes:
        reason: one of these words.
        bytes_sent: of all tries, frames only.
    """

    def __init__(self, reason: str, line: str, *, bytes_sent: int = 0) -> None:
        super().__init__(line)
        self.reason = reason
        self.bytes_sent = bytes_sent
