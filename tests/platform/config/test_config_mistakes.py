"""Every mistake in a configuration gets one line that names the key."""

import pytest

from edgestill.config import RunConfig, load, resolve
from edgestill.errors import ConfigurationError


def complaint(overrides, tree=None) -> str:
    with pytest.raises(ConfigurationError) as caught:
        resolve(tree or {}, overrides)
    message = str(caught.value)
    assert "\n" not in message
    return message


@pytest.mark.parametrize(
    ("override", "key", "reason"),
    [
        ("federation.round=3", "federation.round", "unknown key; known here: strategy, options"),
        ("data.partition.alfa=1", "data.partition.alfa", "known here: kind, alpha"),
        ("speed=3", "speed", "unknown key; known here: name, seed, data"),
        ("fleet.groups.0.profil=x", "fleet.groups.0.profil", "known here: name, profile"),
        ("allocation.levels.low.bit=4", "allocation.levels.low.bit", "modalities, width, bits"),
        ("fleet.devices=0", "fleet.devices", "greater than or equal to 1 (got 0)"),
        ("fleet.devices=-5", "fleet.devices", "(got -5)"),
        ("fleet.devices=many", "fleet.devices", "valid integer"),
        ("fleet.devices=2.5", "fleet.devices", "valid integer"),
        ("fleet.devices=yes", "fleet.devices", "no key takes yes or no"),
        ("fleet.devices=[3]", "fleet.devices", "valid integer"),
        ("fleet.groups=[]", "fleet.groups", "at least 1 item"),
        ("fleet=3", "fleet", "FleetConfig"),
        ("training.learning_rate=.nan", "training.learning_rate", "finite number (got nan)"),
        ("federation.deadline_s=.inf", "federation.deadline_s", "finite number (got inf)"),
        ("training.momentum=1.5", "training.momentum", "less than or equal to 1 (got 1.5)"),
        ("federation.strategy=FedBest", "federation.strategy", "'FedAvg', 'FedProx'"),
        ("knowledge.selection=best", "knowledge.selection", "'relevance', 'all'"),
        ("allocation.levels.high.bits=7", "allocation.levels.high.bits", "4, 8, 16 or 32"),
        ("privacy.delta=1", "privacy.delta", "less than 1"),
        ("engine.device=tpu", "engine.device", "'auto', 'cpu' or 'cuda'"),
        ("fleet.groups.1.name=phones", "fleet", "group names must differ"),
        ("fleet.groups.0.load.low=2", "fleet.groups.0.load", "low (2.0) must not exceed"),
        ("name=no spaces", "name", "match pattern"),
    ],
)
def test_a_wrong_value_names_its_key(override, key, reason):
    message = complaint([override])
    assert message.startswith(f"configuration: {key}: ")
    assert reason in message


def test_more_fogs_than_cohorts_are_refused():
    message = complaint(["engine.cohorts=2", "engine.fogs=3"])
    assert "fogs (3) must not exceed cohorts (2)" in message


@pytest.mark.parametrize(
    ("override", "reason"),
    [
        ("fleet.devices", "expected dotted.key=value"),
        ("=3", "expected dotted.key=value"),
        ("seed=[1", "is not a YAML value"),
        ("seed.low=3", "lies below a plain value"),
        ("fleet.groups.9.share=1", "'9' is no index of a list of 5 items"),
        ("fleet.groups.first.share=1", "'first' is no index"),
        ("fleet.groups.².share=1", "'²' is no index"),
    ],
)
def test_a_wrong_override_is_named(override, reason):
    message = complaint([override])
    assert message.startswith(f"--set {override.partition('=')[0]}")
    assert reason in message


@pytest.mark.parametrize(
    ("signal", "right", "wrong"),
    [
        ("cpu_ratio", [0.2, 0.2, 0.9], [0.4, 0.9, 0.65]),
        ("temperature_c", [-5, 40, 60], [75, 60, 45]),
        ("free_memory_bytes", [3e6, 2e6, 2e6], [20e6, 40e6, 60e6]),
        ("battery_ratio", [0.9, 0.5, 0.1], [0.5, 0.15, 0.3]),
    ],
)
def test_bounds_go_from_medium_to_critical(signal, right, wrong):
    key = f"allocation.thresholds.{signal}"
    config = resolve({}, [f"{key}={right}"])
    assert getattr(config.allocation.thresholds, signal) == tuple(right)
    message = complaint([f"{key}={wrong}"])
    assert message.startswith(f"configuration: {key}: bounds of medium, low and critical must not")


def test_a_lower_level_is_not_wider():
    message = complaint(["allocation.levels.low.width=0.9"])
    assert "allocation.levels: width must not grow" in message
    assert len(message) < 200


def test_the_files_own_faults(tmp_path):
    cases = {
        "list.yaml": ("- 1\n", "expected a mapping of keys, got list"),
        "empty_list.yaml": ("[]\n", "expected a mapping of keys, got list"),
        "text.yaml": ("hello\n", "expected a mapping of keys, got str"),
        "zero.yaml": ("0\n", "expected a mapping of keys, got int"),
        "broken.yaml": ("fleet: {devices: 3\nseed: [\n", "not valid YAML: "),
        "object.yaml": ("seed: !!python/object/apply:os.getcwd []\n", "not valid YAML: "),
        "key.yaml": ("fleet:\n  devices: 0\n", "fleet.devices: "),
    }
    for name, (text, reason) in cases.items():
        path = tmp_path / name
        path.write_text(text)
        with pytest.raises(ConfigurationError) as caught:
            load(path)
        assert str(caught.value).startswith(f"{path}: ")
        assert reason in str(caught.value)
        assert "\n" not in str(caught.value)
    (tmp_path / "latin.yaml").write_bytes(b"name: \xff\n")
    for path in (tmp_path / "absent.yaml", tmp_path, tmp_path / "latin.yaml"):
        with pytest.raises(ConfigurationError, match="cannot be read"):
            load(path)


def test_an_empty_file_is_all_defaults(tmp_path):
    path = tmp_path / "empty.yaml"
    path.write_text("# nothing\n")
    assert load(path) == RunConfig()


def test_numbers_without_a_dot_in_the_exponent_are_numbers():
    assert resolve({}, ["training.learning_rate=1e-3"]).training.learning_rate == 1e-3
