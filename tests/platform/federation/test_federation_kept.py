"""What a device keeps to itself: personal parts of the model, in its node's state."""

import numpy as np
import pytest
from flwr.app import Context, RecordDict

from edgestill.codec import decode_arrays
from edgestill.config import TrainingConfig
from edgestill.errors import CheckpointError, ConfigurationError
from edgestill.federation import make_client_app, world_of
from edgestill.federation.device.kept import Kept, check_personal, is_personal, personal_start
from edgestill.federation.messages import FRAME, UPDATE
from edgestill.seeds import derive_seed

SHAPES = {"encoders.visual.weight": (4, 3), "classifier.weight": (5, 4), "classifier.bias": (5,)}
HEAD = TrainingConfig(personal=("classifier",))


def node() -> Context:
    return Context(run_id=1, node_id=2, node_config={}, state=RecordDict(), run_config={})


def test_a_part_is_personal_by_its_whole_name_only():
    assert is_personal(HEAD, "classifier.weight")
    assert is_personal(HEAD, "classifier")
    assert not is_personal(HEAD, "classifier_two.weight")


def test_a_part_that_the_model_does_not_have_is_refused():
    with pytest.raises(ConfigurationError, match=r"no part 'head'; outermost it has class"):
        check_personal(TrainingConfig(personal=("head",)), list(SHAPES))


def test_a_model_that_is_all_personal_is_refused():
    with pytest.raises(ConfigurationError, match="nothing is shared"):
        check_personal(TrainingConfig(personal=("classifier", "encoders")), list(SHAPES))


def test_what_is_kept_lies_in_the_node_s_state():
    kept = Kept(
        personal={"classifier.bias": np.arange(5, dtype=np.float32)},
        optimizer={"momentum/classifier.bias": np.ones(5, np.float32)},
    )
    context = node()
    Kept().write(context)
    assert len(context.state) == 0
    kept.write(context)
    again = Kept.of(context)
    np.testing.assert_array_equal(again.personal["classifier.bias"], np.arange(5))
    np.testing.assert_array_equal(again.optimizer["momentum/classifier.bias"], np.ones(5))


def test_a_round_at_a_narrower_width_leaves_the_rest_of_what_was_kept():
    wide = Kept(personal={"classifier.weight": np.zeros((5, 4), np.float32)})
    renewed = wide.after({"classifier.weight": np.ones((5, 2), np.float32)}, {})
    expected = np.repeat([[1.0, 1.0, 0.0, 0.0]], 5, axis=0)
    np.testing.assert_array_equal(renewed.personal["classifier.weight"], expected)
    assert wide.personal["classifier.weight"].sum() == 0


def test_a_device_begins_with_what_it_kept_at_any_width(plain_config):
    world = world_of(plain_config())
    full = world.family.initial_arrays(7)
    own = {n: array.shape for n, array in full.items() if n.startswith("classifier")}
    kept = Kept(personal={"classifier.weight": np.full((2, 2), 9.0, np.float32)})
    start = personal_start(HEAD, world.family, 7, {**own, "other": (3,)}, kept)
    assert start.keys() == own.keys()
    assert (start["classifier.weight"][:2, :2] == 9.0).all()
    np.testing.assert_array_equal(start["classifier.weight"][2:], full["classifier.weight"][2:])


class Spy:
    """Notes what each device sent and kept."""

    def __init__(self, app) -> None:
        self.app, self.sent, self.kept = app, [], []

    def __call__(self, message, context):
        answer = self.app(message, context)
        if message.metadata.message_type == "train":
            self.sent.append(answer.content.config_records[UPDATE][FRAME])
            self.kept.append((context.node_id, Kept.of(context).personal["classifier.bias"]))
        return answer


def test_personal_parts_are_trained_from_round_to_round_and_never_sent(federate, plain_config):
    config = plain_config(training={"personal": ["classifier"]}, federation={"rounds": 2})
    spy = Spy(make_client_app(config))
    run = federate(config, app=spy)
    fingerprint = world_of(config).fingerprint
    for frame in spy.sent:
        names = decode_arrays(frame, fingerprint=fingerprint)
        assert names
        assert not any(name.startswith("classifier") for name in names)
    start = world_of(config).family.initial_arrays(derive_seed(config.seed, "student"))
    np.testing.assert_array_equal(run.state.arrays["classifier.bias"], start["classifier.bias"])
    half = len(spy.kept) // 2
    assert dict(spy.kept[:half]).keys() == dict(spy.kept[half:]).keys()
    for node_id, bias in spy.kept[:half]:
        assert (dict(spy.kept[half:])[node_id] != bias).any()


def test_a_run_whose_devices_keep_something_cannot_be_resumed(federate, plain_config, tmp_path):
    config = plain_config(training={"personal": ["classifier"]}, federation={"rounds": 2})
    federate(config, folder=tmp_path)
    with pytest.raises(CheckpointError, match=r"training\.personal"):
        federate(config, folder=tmp_path, resume=True, at_most=1)
