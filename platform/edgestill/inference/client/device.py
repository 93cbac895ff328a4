"""A device's one call: the answer, who gave it, what was sent, and where the time went.

The device answers first. What its gate finds hard goes to the fog or the cloud, as features or
whole, at a rate that arrives within the deadline (:mod:`edgestill.inference.tiers`). Where they are
slow, wrong or gone, the device's own answer stands, and says so.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from time import monotonic

from edgestill.inference.client.answered import JointAnswer, answered
from edgestill.inference.client.cloud import CloudClient
from edgestill.inference.client.errors import CloudError
from edgestill.inference.client.half import EdgeHalf, Glance, Inputs
from edgestill.inference.client.link import LinkEstimate
from edgestill.inference.gates import BudgetedGate, Hardness
from edgestill.inference.tiers import Limits, RatePolicy, arriving, fastest_first, largest

EXPECTED_BYTES_PER_S = 1e6
"""Of a link that nothing was sent on yet."""

RESERVE_S, RESERVE_SHARE = 0.005, 0.1
"""Of the deadline, kept back to fall back in: the longer of the two."""

BUDGET_WINDOW_S = 10.0
"""Over which a level's share of inputs that may be handed on is kept."""

MOST_UNDER_WAY = 8
"""Inputs of a stream that may wait for an answer at once."""


@dataclass(frozen=True, slots=True)
class _Upstream:
    client: CloudClient
    link: LinkEstimate


@dataclass(frozen=True, slots=True, kw_only=True)
class _Question:
    """What is asked for a hard input, of whom in turn, and until when."""

    own: JointAnswer
    frame: bytes
    order: Sequence[_Upstream]
    until_s: float


class EdgeClient:
    """Answers inputs on a device; needs neither Ray nor the teacher. One thread may use it.

    Args:
        half: the device's model.
        hardness: how hard an input is, from what the device answered.
        threshold: above it an input is handed on.
        cloud: whom to ask; None leaves the fog, or all alone.
        fog: whom to ask besides; whoever would answer sooner is asked first.
        deadline_s: from a call to its answer.
        bandwidth_bytes_per_s: of the uplink, until it has been seen.
        policy: chooses among the rates that arrive in time.
        limits: what the device may send now; None is without limit.
        clock: seconds that never go back, those of :func:`time.monotonic`.
    """

    def __init__(
        self,
        half: EdgeHalf,
        *,
        hardness: Hardness,
        threshold: float,
        cloud: CloudClient | None,
        deadline_s: float,
        bandwidth_bytes_per_s: float = EXPECTED_BYTES_PER_S,
        fog: CloudClient | None = None,
        policy: RatePolicy = largest,
        limits: Callable[[], Limits] | None = None,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._half = half
        self._hardness = hardness
        self._threshold = threshold
        self._upstreams = tuple(
            _Upstream(one, LinkEstimate(bandwidth_bytes_per_s))
            for one in (fog, cloud)
            if one is not None
        )
        self._deadline_s = deadline_s
        self._reserve_s = max(RESERVE_S, RESERVE_SHARE * deadline_s)
        self._policy = policy
        self._limits = limits
        self._budget = BudgetedGate(threshold=threshold, window_s=BUDGET_WINDOW_S)
        self._clock = clock

    def answer(self, inputs: Inputs) -> JointAnswer:
        """Return the answer to one input, within the deadline if the device itself is fast enough.

        Raises:
            InputError: an input of the wrong kind, shape or type.
        """
        found = self._look(inputs)
        return found if isinstance(found, JointAnswer) else self._ask(found)

    def answers(self, stream: Iterable[Inputs]) -> Iterator[JointAnswer]:
        """Yield the answer to each input of a stream or a batch, in order.

        While an input waits for its answer the next ones are looked at, up to
        :data:`MOST_UNDER_WAY`, so that a slow cloud does not hold up the stream; each has the whole
        deadline.

        Raises:
            InputError: an input of the wrong kind, shape or type; those before it were answered.
        """
        waiting: deque[Future[JointAnswer]] = deque()
        with ThreadPoolExecutor(MOST_UNDER_WAY, thread_name_prefix="asking") as pool:
            for inputs in stream:
                waiting.append(self._begin(pool, inputs))
                while waiting and (waiting[0].done() or len(waiting) > MOST_UNDER_WAY):
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()

    def _begin(self, pool: ThreadPoolExecutor, inputs: Inputs) -> "Future[JointAnswer]":
        done: Future[JointAnswer] = Future()
        try:
            found = self._look(inputs)
        except Exception as error:
            # Raised in its turn, after the answers to the inputs before it.
            done.set_exception(error)
            return done
        if isinstance(found, _Question):
            return pool.submit(self._ask, found)
        done.set_result(found)
        return done

    def _look(self, inputs: Inputs) -> JointAnswer | _Question:
        """Return the device's own answer if it stands, else what to ask."""
        started = self._clock()
        glance = self._half.look(inputs)
        own = JointAnswer(
            answer=glance.answer,
            reason="confident",
            hardness=float(self._hardness(glance.answers)[0]),
            edge_s=self._clock() - started,
        )
        for upstream in self._upstreams:
            upstream.client.looked_at()
        if own.hardness <= self._threshold:
            self._budget.decide(own.hardness, 1, started)
            return own
        return self._question(glance, own, started + self._deadline_s - self._reserve_s)

    def _question(
        self, glance: Glance, own: JointAnswer, until_s: float
    ) -> JointAnswer | _Question:
        if not self._upstreams:
            return replace(own, reason="alone")
        awake = [one for one in self._upstreams if not one.client.resting]
        if not awake:
            return replace(own, reason="resting")
        began, sizes = self._clock(), self._sizes()
        links = [one.link.now for one in awake]
        rates = arriving(links, sizes, until_s - began)
        if not rates:
            for one in awake:
                one.link.skipped()
            return replace(own, reason="link")
        rate = self._policy(glance.answers, rates)
        if rate is None:
            return replace(own, reason="worth")
        if not self._budget.decide(own.hardness, sizes[rate], began):
            return replace(own, reason="budget")
        frame = self._half.encode(glance.features, rate)
        own = replace(own, rate=rate, encode_s=self._clock() - began)
        order = fastest_first(links, sizes[rate], until_s - began)
        return _Question(own=own, frame=frame, order=[awake[one] for one in order], until_s=until_s)

    def _sizes(self) -> Sequence[int]:
        """Return the bytes at each rate that the device's level allows."""
        sizes = self._half.bytes_by_rate
        if self._limits is None:
            return sizes
        limits = self._limits()
        self._budget.share = limits.share
        return sizes[: limits.top_rate + 1]

    def _ask(self, question: _Question) -> JointAnswer:
        """Ask one tier after the other until one answers or the time is over."""
        own, began, sent = question.own, self._clock(), 0
        for upstream in question.order:
            try:
                came = upstream.client.ask(question.frame, question.until_s)
            except CloudError as error:
                sent += error.bytes_sent
                own = replace(own, reason=error.reason, said=str(error))
                if error.reason == "deadline":
                    upstream.link.late()
                continue
            upstream.link.saw(came.bytes_sent, came.elapsed_s, came.cloud_s)
            return answered(own, came, self._clock() - began, sent + came.bytes_sent)
        return replace(own, bytes_sent=sent, link_s=self._clock() - began)
