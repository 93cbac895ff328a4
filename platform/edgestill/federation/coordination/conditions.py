"""One log line where trouble with the signals begins, and one where it ends."""

import logging
from collections.abc import Mapping

from edgestill.allocation import Decision, Snapshot
from edgestill.telemetry import log_fields

log = logging.getLogger(__name__)


class Conditions:
    """Remembers what was last said, so that a round in which nothing changed says nothing."""

    def __init__(self) -> None:
        self._error_reason: str | None = None
        self._states: Mapping[str, str] = {}

    def note(self, snapshot: Snapshot, decision: Decision) -> None:
        """Log what is otherwise than at the last decision."""
        with log_fields(stage="signals"):
            self._note_source(snapshot)
            self._note_groups(decision)

    def _note_source(self, snapshot: Snapshot) -> None:
        if snapshot.source_error_reason == self._error_reason:
            return
        if snapshot.source_error is not None:
            log.warning("%s", snapshot.source_error)
        else:
            log.info("the signal source answers again")
        self._error_reason = snapshot.source_error_reason

    def _note_groups(self, decision: Decision) -> None:
        for group, state in decision.states.items():
            before = self._states.get(group, "fresh")
            if state == before:
                continue
            if state == "fresh":
                log.info("%s is decided from fresh signals again", group)
            else:
                log.warning("%s is %s: %s", group, state, decision.reasons[group])
        self._states = decision.states
