"""Who is under way, as a checkpoint holds it: what is trained as it came, the others to be trained.

Of a version of the model that somebody has yet to be trained from, the arrays are kept.
"""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgestill.allocation import Allocation
from edgestill.federation.buffered.event_queue import EventQueue, Flight, Landing
from edgestill.federation.roster.participants import Participant
from edgestill.federation.sources import Selection
from edgestill.federation.table import FigureTable
from edgestill.fleet import Vitals

VITALS = tuple(field.name for field in fields(Vitals))

State = tuple[dict[str, NDArray[Any]], dict[str, Any]]


def queue_state(queue: EventQueue) -> State:
    """Return arrays and plain values of all flights."""
    landings, untrained = queue.landings(), queue.untrained()
    flights = [landing.flight for landing in landings] + untrained
    table = FigureTable.of(
        {one.flight.device: one.figures for one in landings if one.figures is not None}
    )
    positions = [flight.selection.positions for flight in flights]
    frames = [b"" if one.frame is None else one.frame for one in landings]
    arrays: dict[str, NDArray[Any]] = {
        "vitals": np.array([_vitals_row(one.participant.vitals) for one in flights]),
        "positions": np.concatenate([np.empty(0, np.int64), *positions]),
        "relevance": np.concatenate([np.empty(0, np.uint8), *map(_relevance, flights)]),
        "frames": np.frombuffer(b"".join(frames), np.uint8),
        "figures/devices": table.devices,
        **{f"figures/column/{name}": column for name, column in table.columns.items()},
        **{f"figures/present/{name}": mask for name, mask in table.present.items()},
    }
    plain = {
        "flights": [_flight_plain(flight) for flight in flights],
        "landings": [_landing_plain(landing) for landing in landings],
    }
    return arrays, plain


def restored_queue(arrays: Mapping[str, NDArray[Any]], plain: Mapping[str, Any]) -> EventQueue:
    """Return the queue that :func:`queue_state` was given."""
    flights = _flights(arrays, plain["flights"])
    table = _table(arrays)
    frames, taken = arrays["frames"].tobytes(), 0
    landings = []
    for flight, one in zip(flights, plain["landings"], strict=False):
        size = one["frame_bytes"]
        landings.append(
            Landing(
                flight=flight,
                landed_s=one["landed_s"],
                figures=table[flight.device] if one["answered"] else None,
                frame=None if size is None else frames[taken : taken + size],
                reason=one["reason"],
                failure=one["failure"],
            )
        )
        taken += size or 0
    queue = EventQueue()
    queue.trained(landings)
    for flight in flights[len(landings) :]:
        queue.start(flight)
    return queue


def _flight_plain(flight: Flight) -> dict[str, Any]:
    return {
        "device": flight.device,
        "node_id": flight.participant.node_id,
        "allocation": flight.participant.allocation.to_record(),
        "version": flight.version,
        "start_s": flight.start_s,
        "earliest_s": flight.earliest_s,
        "foretold_s": flight.foretold_s,
        "positions": len(flight.selection.positions),
        "lower_rate": int(flight.selection.lower_rate),
    }


def _relevance(flight: Flight) -> NDArray[np.uint8]:
    """Return what each selected sample counts, zeros where all count the same."""
    given = flight.selection.relevance
    return np.zeros(len(flight.selection.positions), np.uint8) if given is None else given


def _landing_plain(landing: Landing) -> dict[str, Any]:
    return {
        "landed_s": landing.landed_s,
        "answered": int(landing.figures is not None),
        "frame_bytes": None if landing.frame is None else len(landing.frame),
        "reason": landing.reason,
        "failure": landing.failure,
    }


def _flights(
    arrays: Mapping[str, NDArray[Any]], plain: Sequence[Mapping[str, Any]]
) -> list[Flight]:
    ends = np.cumsum([one["positions"] for one in plain], dtype=np.int64)[:-1]
    positions = np.split(arrays["positions"], ends) if plain else []
    relevance = np.split(arrays["relevance"], ends) if plain else []
    return [
        Flight(
            participant=Participant(
                device=one["device"],
                node_id=one["node_id"],
                allocation=Allocation.from_record(one["allocation"]),
                vitals=_vitals(row),
            ),
            # Its classes were counted when it started.
            selection=Selection(
                positions=own,
                class_counts=np.zeros(0, np.int64),
                relevance=levels if levels.any() else None,
                lower_rate=bool(one["lower_rate"]),
            ),
            **{key: one[key] for key in ("version", "start_s", "earliest_s", "foretold_s")},
        )
        for one, row, own, levels in zip(plain, arrays["vitals"], positions, relevance, strict=True)
    ]


def _table(arrays: Mapping[str, NDArray[Any]]) -> FigureTable:
    def below(prefix: str) -> dict[str, NDArray[Any]]:
        return {
            name.removeprefix(prefix): array
            for name, array in arrays.items()
            if name.startswith(prefix)
        }

    return FigureTable(
        arrays["figures/devices"], below("figures/column/"), below("figures/present/")
    )


def _vitals_row(vitals: Vitals) -> list[float]:
    return [float(getattr(vitals, name)) for name in VITALS]


def _vitals(row: NDArray[np.float64]) -> Vitals:
    values = dict(zip(VITALS, row.tolist(), strict=True))
    return Vitals(**{**values, "available": values["available"] > 0})
