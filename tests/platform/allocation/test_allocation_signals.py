from edgestill.allocation import GroupSignals, RegistrySource, SignalSource


class Gauges:
    def __init__(self, values: dict[tuple[str, str], float]) -> None:
        self.values = values

    def value(self, name: str, **labels: str) -> float | None:
        return self.values.get((name, labels["group"]))


def test_gauges_become_signals_and_a_gauge_never_set_is_none() -> None:
    store = Gauges(
        {
            ("edgestill_group_cpu_ratio", "phones"): 0.4,
            ("edgestill_group_free_memory_bytes", "phones"): 1e8,
            ("edgestill_group_battery_ratio", "phones"): 0.9,
            ("edgestill_group_temperature_celsius", "phones"): 31.0,
            ("edgestill_group_cpu_ratio", "boards"): 0.1,
        }
    )
    source: SignalSource = RegistrySource(store=store, groups=("phones", "boards"))
    snapshot = source.read(3, 120.0)
    assert (snapshot.round_number, snapshot.time_s) == (3, 120.0)
    assert snapshot.groups == {
        "phones": GroupSignals(
            cpu_ratio=0.4, free_memory_bytes=1e8, battery_ratio=0.9, temperature_c=31.0
        ),
        "boards": GroupSignals(cpu_ratio=0.1),
    }
