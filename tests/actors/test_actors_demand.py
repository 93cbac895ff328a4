"""How many cohorts a cluster gets, and what share of its GPUs goes with each."""

import pytest

from edgestill.actors import demand
from edgestill.actors import placement as placement_module
from edgestill.config import EngineConfig
from edgestill.errors import InputError

CPU_NODE = {"CPU": 4.0, "memory": 1e9}
GPU_NODE = {"CPU": 4.0, "GPU": 1.0}
LARGE_NODE = {"CPU": 8.0, "GPU": 4.0}


@pytest.fixture
def on(monkeypatch):
    """What a configuration asks of a cluster of these nodes."""

    def asked(*nodes, **engine):
        monkeypatch.setattr(placement_module, "_resources", lambda: list(nodes))
        found = demand(EngineConfig(**engine))
        return found.cohorts, found.gpus

    return asked


def test_there_is_a_cohort_for_each_whole_cpu_unless_a_number_is_given(on):
    assert on(CPU_NODE, CPU_NODE, {"CPU": 2.5}) == (10, 0.0)
    assert on(CPU_NODE, cohorts=3) == (3, 0.0)
    assert on(CPU_NODE, cohorts_max=2) == (2, 0.0)
    assert on(CPU_NODE, cohorts_min=6) == (6, 0.0)


def test_the_cohorts_of_a_node_and_the_teacher_share_its_gpus(on):
    assert on(GPU_NODE) == (4, 0.2)
    assert on(GPU_NODE, cohorts=2) == (2, 0.3333)
    # Eight cohorts and maybe the teacher on four GPUs: at most three on each.
    assert on(LARGE_NODE) == (8, 0.3333)
    assert on(GPU_NODE, LARGE_NODE) == (12, 0.2)


@pytest.mark.parametrize("nodes", [[GPU_NODE], [GPU_NODE, LARGE_NODE], [LARGE_NODE] * 3])
def test_the_shares_fit_on_the_gpus(on, nodes):
    cohorts, gpus = on(*nodes)
    for node in nodes:
        on_node = round(cohorts * node["CPU"] / sum(one["CPU"] for one in nodes))
        assert on_node <= node["GPU"] * int(1 / gpus)
    assert cohorts + 1 <= sum(node["GPU"] * int(1 / gpus) for node in nodes)


def test_cpus_are_used_where_that_is_asked_for_or_a_node_has_no_gpu(on):
    assert on(GPU_NODE, device="cpu") == (4, 0.0)
    assert on(GPU_NODE, CPU_NODE) == (8, 0.0)
    assert on(GPU_NODE, CPU_NODE, device="cuda") == (4, 0.2)


def test_cuda_without_a_gpu_is_refused_in_one_line(on):
    with pytest.raises(InputError, match=r"^engine.device: cuda, but no node .*; try auto$"):
        on(CPU_NODE, device="cuda")
