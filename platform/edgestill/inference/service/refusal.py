"""Why a request is refused: a status of HTTP, a reason of one word, and one line."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RefusalError(Exception):
    """Ends a request.

    ======  =============  =============================================
    status  reason         what the client did, or should do
    ======  =============  =============================================
    400     frame          the frame is damaged, or not for this service
    401     token          the token is missing or another
    409     model          the frame is for another model; ask /v1/model
    413     too_large      the frame exceeds the cap
    429     rate           too many requests; come again
    500     model_failed   the model raised; the service goes on
    503     overloaded     too many wait, or it drains; come again
    504     deadline       no answer within the request's own deadline
    ======  =============  =============================================
    """

    status: int
    reason: str
    line: str
    retry_after_s: float | None = None
