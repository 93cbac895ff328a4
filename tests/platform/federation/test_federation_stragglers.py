"""What stragglers cost in virtual time, on the bundled data: three ways to train the same fleet."""

import pytest

from edgestill.config import resolve

MARKS = (0.2, 0.3, 0.4, 0.5)
TRAININGS = 60
WAYS = {
    "synchronous": {"fraction": 0.5, "rounds": 5},
    "synchronous, by utility": {"fraction": 0.5, "rounds": 5, "selection": "utility"},
    "buffered": {"mode": "buffered", "concurrency": 12, "buffer_size": 4, "rounds": 15},
}


@pytest.fixture(scope="module")
def runs(federate):
    """Runs of sixty trainings each on 24 devices of five profiles, without a teacher."""
    fleet, knowledge = {"devices": 24}, {"selection": "none"}
    return {
        name: federate(
            resolve(
                {
                    "fleet": fleet,
                    "knowledge": knowledge,
                    "allocation": {"policy": "static"},
                    "federation": federation,
                }
            )
        )
        for name, federation in WAYS.items()
    }


def time_to_s(run, accuracy):
    return next((row["time_s"] for row in run.rows if row["accuracy"] >= accuracy), None)


def test_a_straggler_does_not_hold_the_server_up(runs):
    for name, run in runs.items():
        times = [time_to_s(run, mark) for mark in MARKS]
        said = " ".join("    -" if time_s is None else f"{time_s:5.2f}" for time_s in times)
        last = run.rows[-1]
        print(f"{name:24s} s to {MARKS}: {said}; {last['accuracy']:.3f} at {last['time_s']:.2f} s")
    together, buffered = runs["synchronous"], runs["buffered"]
    for run in (together, buffered):
        assert sum(row["completed"] for row in run.rows) == TRAININGS
    # While the first synchronous round waits for its slowest device, the server steps again and
    # again, and it is done with as many trainings before the synchronous rounds are.
    first_s = together.rows[0]["time_s"]
    assert sum(row["time_s"] < first_s for row in buffered.rows) >= 3
    assert buffered.rows[-1]["time_s"] < together.rows[-1]["time_s"] / 2
    reached = together.rows[0]["accuracy"]
    assert time_to_s(buffered, reached) < first_s
