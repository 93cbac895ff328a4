"""One Ray and one small pool for all tests of the actors."""

import sys
from pathlib import Path

import plain_apps
import pytest
import ray

from edgestill.actors import Pool, RayGrid
from edgestill.config import EngineConfig
from edgestill.telemetry import MetricStore

COHORTS = 2

sys.path.append(str(Path(__file__).parents[1] / "contract"))

import grid_contract  # noqa: E402 - it lies beside the tests of all grids

# Workers cannot import what lies beside tests.
ray.cloudpickle.register_pickle_by_value(plain_apps)
ray.cloudpickle.register_pickle_by_value(grid_contract)


@pytest.fixture(scope="session")
def store():
    return MetricStore()


@pytest.fixture(scope="session")
def pool(ray_here, store):
    config = EngineConfig(cohorts=COHORTS, fogs=2)
    pool = Pool(lambda message, context: message, config, store, run_id=1, fingerprint=0)
    yield pool
    pool.close()


@pytest.fixture
def restarts(store):
    """How many cohorts were replaced since the test began."""
    before = store.value("edgestill_actor_restarts_total", tier="cohort")
    return lambda: store.value("edgestill_actor_restarts_total", tier="cohort") - before


@pytest.fixture
def grid_of(pool):
    """A grid over so many devices of an app."""

    def make(app, devices):
        pool.use(app, 0)
        return RayGrid(pool, devices)

    return make
