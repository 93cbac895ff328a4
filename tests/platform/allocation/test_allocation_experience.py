"""What is learned of time, energy and gain, and that it survives a checkpoint."""

import json

import numpy as np
import pytest

from edgestill.allocation import Experience, Level, Observed, epoch_gain, level_fidelity, precision
from edgestill.allocation.levels import allocation_of
from edgestill.config import LevelsConfig
from edgestill.errors import CheckpointError

PRIOR = np.array([1.0, 0.8, 0.3, 0.2])
NOTHING = np.zeros(2)


def observed(computing=1.0, sending=1.0, *, level=Level.HIGH, loss=0.5, power_ratio=1.0, seed=0):
    """Ten devices that take so much more than their profile says."""
    nominal = np.random.default_rng(seed).uniform(0.1, 1.0, (10, 2))
    times = nominal * [computing, sending]
    worth = np.zeros(len(Level))
    worth[level.severity] = 10.0
    return Observed(
        nominal_s=nominal,
        fixed_s=np.full(10, 0.05),
        duration_s=times.sum(axis=1) + 0.05,
        energy_j=power_ratio * (2.0 * times[:, 0] + 0.5 * (times[:, 1] + 0.05)),
        power_w=(2.0, 0.5),
        loss=loss,
        worth_l=worth,
        utility=10.0,
    )


def after(rounds, *, losses=None, **options):
    experience = Experience.first()
    for index in range(rounds):
        loss = 1.0 if losses is None else losses[index]
        seen = {"phones": observed(**options, seed=index)}
        experience = experience.after(seen, loss, PRIOR, NOTHING)
    return experience


def test_before_the_first_round_the_profile_is_believed():
    model = Experience.first().group("phones")
    assert model.factors.tolist() == [1.0, 1.0]
    assert model.loss is None
    assert Experience.first().fidelity(PRIOR) == pytest.approx(PRIOR)


def test_a_slow_processor_is_told_from_a_weak_link_within_a_few_rounds():
    model = after(6, computing=1.5, sending=3.0).group("phones")
    assert model.factors == pytest.approx([1.5, 3.0], rel=0.15)
    assert model.spread < 0.3


def test_a_link_that_changes_is_followed():
    experience = after(4, sending=3.0)
    for index in range(4):
        seen = {"phones": observed(sending=1.0, seed=index)}
        experience = experience.after(seen, 1.0, PRIOR, NOTHING)
    assert experience.group("phones").factors[1] == pytest.approx(1.0, abs=0.25)


def test_what_a_device_draws_beyond_its_profile_is_learned():
    assert after(6, power_ratio=1.4).group("phones").energy_ratio == pytest.approx(1.4, rel=0.05)


def test_errors_widen_the_spread_and_their_absence_narrows_it():
    surprised, sure = after(1, computing=3.0, sending=3.0), after(6)
    assert surprised.group("phones").spread > 0.5 > 0.1 > sure.group("phones").spread


def test_a_level_that_brings_more_than_stated_rises_and_no_level_passes_a_better_one():
    experience, loss = Experience.first(), 1.0
    for index in range(30):
        level = Level.LOW if index % 2 else Level.HIGH
        loss *= 0.9
        seen = {"phones": observed(level=level, seed=index)}
        experience = experience.after(seen, loss, PRIOR, NOTHING)
    learned = experience.fidelity(PRIOR)
    assert learned[Level.LOW.severity] > 1.2 * PRIOR[Level.LOW.severity]
    assert (np.diff(learned) <= 0).all()


def test_devices_that_report_nothing_teach_nothing():
    silent = observed()
    empty = Observed(
        nominal_s=silent.nominal_s * 0,
        fixed_s=silent.fixed_s * 0,
        duration_s=silent.duration_s * 0,
        energy_j=silent.energy_j * 0,
        power_w=silent.power_w,
        loss=None,
        worth_l=silent.worth_l * 0,
        utility=0.0,
    )
    experience = Experience.first().after({"phones": empty}, 1.0, PRIOR, NOTHING)
    assert experience.group("phones").factors.tolist() == [1.0, 1.0]


def test_the_account_adds_up():
    experience = Experience.first().after({}, 1.0, PRIOR, np.array([5.0, -2.0]))
    assert experience.after({}, 1.0, PRIOR, np.array([1.0, 1.0])).saved_k.tolist() == [6.0, -1.0]


def test_it_survives_json_to_the_last_bit():
    experience = after(4, losses=[1.0, 0.8, 0.7, 0.65], computing=1.3)
    plain = json.loads(json.dumps(experience.to_plain()))
    assert Experience.from_plain(plain).to_plain() == experience.to_plain()


@pytest.mark.parametrize("plain", [{}, {"groups": {"a": {}}}, {"groups": None}])
def test_a_damaged_one_is_refused(plain):
    with pytest.raises(CheckpointError, match="experience"):
        Experience.from_plain(plain)


def test_stated_worths_are_ordered():
    levels = LevelsConfig()
    kinds = ("visual", "audio", "sensor")
    worths = [level_fidelity(allocation_of(levels, level, kinds), 3) for level in Level]
    assert worths[0] == 1.0
    assert worths == sorted(worths, reverse=True)
    assert epoch_gain(2) / epoch_gain(1) == pytest.approx(4 / 3)
    assert 0.9 < precision(4) < precision(8) < precision(16) <= 1.0
