"""A fog's question to the cloud: the same frame, within what is left of the request's deadline.

The fog answers with its medium model first. What its gate finds hard goes on; where the cloud is
slow, wrong or gone, the fog's own answer stands.
"""

from asyncio import wrap_future
from dataclasses import dataclass
from time import monotonic

from edgestill.inference.answer import Answer
from edgestill.inference.client import CloudClient, CloudError
from edgestill.inference.service.settings import AboveSettings

RESERVE_S = 0.01
RESERVE_SHARE = 0.1
"""Of what is left of a request's deadline, kept back for the way to the device; at least 10 ms."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Better:
    """The answer to give in the end.

    Attributes:
        answer: the fog's own or the cloud's.
        outcome: ``easy`` (nobody was asked), ``asked``, or why the cloud gave none.
        waited_s: for the cloud.
    """

    answer: Answer
    outcome: str
    waited_s: float = 0.0


class Above:
    """The tier above a fog.

    Raises:
        InputError: the address or the certificates of ``settings`` are no such.
    """

    def __init__(self, settings: AboveSettings) -> None:
        self._doubt = settings.doubt
        self._cloud = CloudClient(settings.url, token=settings.token, ca_file=settings.ca_file)

    def looked_at(self, inputs: int) -> None:
        """Note inputs that devices have looked at."""
        self._cloud.looked_at(inputs)

    async def better(self, own: Answer, frame: bytes, until_s: float, doubt: float) -> Better:
        """Return the cloud's answer to a frame, or the fog's own where that stands.

        Args:
            own: the fog's. Of a class, 1 minus its confidence is the gate's least confidence; of a
                detection its mean box doubt.
            frame: as it came.
            until_s: by :func:`time.monotonic`, when the device needs an answer.
            doubt: of the model, where the settings name none.
        """
        if 1.0 - own.confidence <= (doubt if self._doubt is None else self._doubt):
            return Better(answer=own, outcome="easy")
        began = monotonic()
        reserve_s = max(RESERVE_S, RESERVE_SHARE * (until_s - began))
        try:
            came = await wrap_future(self._cloud.begin(frame, until_s - reserve_s))
        except CloudError as error:
            return Better(answer=own, outcome=error.reason, waited_s=monotonic() - began)
        return Better(answer=came.answer, outcome="asked", waited_s=monotonic() - began)

    def close(self) -> None:
        """Close the connections."""
        self._cloud.close()
