"""How a lane's step is computed: directly, or as a traced program; and how long a lane is.

To trace a step takes about as long as fifty direct ones, and each of its runs is then two to three
times faster. So the first steps of a lane key in a process are computed directly, and traced once
there have been, or will be, that many. How many devices at a time are fastest depends on the model,
its batches and the machine's caches, and is measured when the first program is made.

Neither choice changes a bit of the results.
"""

import logging
import math
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from functools import cache, partial
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

from edgestill.training.lane_steps import Compute, Fields
from edgestill.training.program import Program
from edgestill.training.schedule import Schedule
from edgestill.training.step_function import StepFunction

log = logging.getLogger(__name__)

SHORTEST_LANE = 2
DIRECT_LANE = 32
TRACED_LANES = (8, 16, 4, 32)
"""Lengths in the order in which they are measured."""

MEASURING_S = 0.5
"""No further length is tried after this time."""

STEPS_WORTH_TRACING = 48

PROGRAMS_KEPT = 8
"""In a process; the memory of one is that of a step of all its devices."""


class _Known:
    """What this process knows of a lane key."""

    def __init__(self) -> None:
        self.steps = 0
        self.length = 0
        self.programs: dict[int, _Traced] = {}

    def program(self, length: int) -> "_Traced":
        program = self.programs.setdefault(length, _Traced())
        _RECENT[program] = None
        _RECENT.move_to_end(program)
        if len(_RECENT) > PROGRAMS_KEPT:
            _RECENT.popitem(last=False)[0].forget()
        return program


_RECENT: "OrderedDict[_Traced, None]" = OrderedDict()
_KNOWN: WeakKeyDictionary[nn.Module, dict[Hashable, _Known]] = WeakKeyDictionary()


def compute_for(
    function: StepFunction,
    module: nn.Module,
    key: Sequence[object],
    dealt: Sequence[Schedule],
    example: Callable[[], Fields],
) -> tuple[Compute, int]:
    """Return the arithmetic of a lane's steps, and the number of its places.

    Args:
        function: the step.
        module: that it runs.
        key: whatever else tells one step function from another, by its ``repr``.
        dealt: the devices' schedules.
        example: gives the fields of a step of a few devices.
    """
    known = _KNOWN.setdefault(module, {}).setdefault(tuple(map(repr, key)), _Known())
    enough = max(SHORTEST_LANE, 1 << (len(dealt) - 1).bit_length())
    known.steps += sum(one.steps for one in dealt) // min(enough, TRACED_LANES[0])
    if known.steps < STEPS_WORTH_TRACING:
        return function, max(SHORTEST_LANE, min(DIRECT_LANE, len(dealt)))
    if not known.length:
        known.length = _fastest(function, known, example())
        for other in known.programs.keys() - {known.length}:
            known.programs.pop(other).forget()
    length = min(known.length, enough)
    return partial(known.program(length), function), length


def _fastest(function: StepFunction, known: _Known, example: Fields) -> int:
    """Return the length of lane that takes the least time per device."""
    begun, best = time.perf_counter(), (math.inf, TRACED_LANES[0])
    for length in TRACED_LANES:
        fields = {name: one[torch.arange(length) % len(one)] for name, one in example.items()}
        run = partial(known.program(length), function, fields)
        run()
        best = min(best, (min(_seconds(run) for _ in range(3)) / length, length))
        if time.perf_counter() - begun > MEASURING_S:
            break
    return best[1]


def _seconds(run: Callable[[], object]) -> float:
    begun = time.perf_counter()
    run()
    return time.perf_counter() - begun


class _Traced:
    """A step function that is traced at its first call, and held against it.

    It keeps no hold of the function, which would keep the module for ever.
    """

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Give the memory back; the next call traces anew."""
        self._program: Program | None = None
        self._names: list[str] = []
        self._tried = False

    def __call__(self, function: StepFunction, fields: Fields) -> tuple[Tensor, Tensor]:
        if not self._tried:
            return self._trace(function, fields)
        if self._program is None:
            return function(fields)
        terms, gradients = self._program.run([fields[name] for name in self._names])
        return terms, gradients

    def _trace(self, function: StepFunction, fields: Fields) -> tuple[Tensor, Tensor]:
        """Trace; where that fails or gives other bits, go on without."""
        self._tried, self._names = True, list(fields)
        expected, examples = function(fields), list(fields.values())
        try:
            program = Program(partial(_of_tensors, function, self._names), examples)
            found = program.run(examples)
        except (RuntimeError, TypeError, NotImplementedError) as error:
            _tell_once(str(error).strip().partition("\n")[0] or type(error).__name__)
            return expected
        if all(map(torch.equal, found, expected)):
            self._program = program
        else:
            _tell_once("traced, it gives other bits")
        return expected


@cache
def _tell_once(reason: str) -> None:
    log.warning("steps are computed untraced, at less than half the speed: %s", reason)


def _of_tensors(
    function: StepFunction, names: Sequence[str], *tensors: Tensor
) -> tuple[Tensor, Tensor]:
    return function(dict(zip(names, tensors, strict=True)))
