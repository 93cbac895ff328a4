"""What a round would take and bring, foretold from profiles and experience; and what it took.

Only what a coordinator of real devices knows goes in: profiles, the groups' signals, how many
samples each device said it has, and what devices reported of earlier rounds.

Shape letters: g groups, o options, q representative devices of a group, l levels.
"""

import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from scipy.special import ndtr

from edgestill.allocation import (
    Allocation,
    Decision,
    Experience,
    Forecasts,
    GroupSignals,
    Level,
    Observed,
    Snapshot,
    allocation_of,
    epoch_gain,
    level_fidelity,
    options_of,
    precision,
)
from edgestill.allocation.forecast import Floats
from edgestill.federation.coordination.nominal import nominal_rates, option_load
from edgestill.federation.messages import DONE
from edgestill.federation.roster.members import Member
from edgestill.federation.sources import KnowledgeSource
from edgestill.federation.table import FigureTable
from edgestill.federation.world import World
from edgestill.fleet import DeviceProfile

REPRESENTATIVES = 8
"""A group's devices are stood for by this many quantiles of their numbers of samples."""


class Forecaster:
    """Foretells the rounds of one run and learns from them.

    What does not change from round to round is worked out once.
    """

    def __init__(
        self, world: World, source: KnowledgeSource, members: Mapping[int, Member]
    ) -> None:
        config, kinds = world.config, world.dataset.kinds
        self._levels = [allocation_of(config.allocation.levels, one, kinds) for one in Level]
        self._prior_l = np.array([level_fidelity(one, len(kinds)) for one in self._levels])
        self._signals: Mapping[str, GroupSignals] = {}
        self._options = options_of(config.allocation.levels, kinds)
        self._worth_o = np.array([_worth(option) for option in self._options])
        self._budget = config.allocation.budget
        self._deadline_s = config.federation.deadline_s or math.inf
        self._samples = (
            0 if config.knowledge.selection == "none" else (config.knowledge.samples_per_round)
        )
        loads = [option_load(world, source, option, self._samples) for option in self._options]
        self._flops_o, self._down_o, self._up_o = np.array(loads, float).T
        self._epochs_o = np.array([option.epochs for option in self._options], float)
        self._level_o = [option.level.severity for option in self._options]
        examples, devices_g = _examples(world, members)
        self._groups = tuple(examples)
        shares = np.linspace(0.0, 1.0, REPRESENTATIVES)
        self._examples_gq = np.array([np.quantile(n, shares) for n in examples.values()])
        self._devices_g = np.array(devices_g)
        self._mean_g = np.array([np.mean(n) for n in examples.values()])
        self._profiles = [
            world.fleet.profile_of(int(world.fleet.members(group)[0])) for group in self._groups
        ]

    def with_forecasts(self, snapshot: Snapshot, experience: Experience) -> Snapshot:
        """Return the snapshot with what each option would take and bring in its round.

        It is kept until the round is learned from.
        """
        self._signals = snapshot.groups
        return replace(snapshot, forecasts=self.foretell(snapshot.groups, experience))

    def foretell(self, signals: Mapping[str, GroupSignals], experience: Experience) -> Forecasts:
        """Return what each option would take of each group and bring under these signals."""
        rates = np.array(
            [
                nominal_rates(*one)
                for one in zip(self._profiles, map(signals.get, self._groups), strict=True)
            ]
        )
        flop_s, down_s, up_s, fixed_s = (rates[:, column, None, None] for column in range(4))
        models = [experience.group(group) for group in self._groups]
        computing, sending = (f[:, None, None] for f in np.array([m.factors for m in models]).T)
        spread = np.array([model.spread for model in models])[:, None, None]
        samples_goq = (self._examples_gq[:, None, :] + self._samples) * self._epochs_o[:, None]
        compute_goq = computing * flop_s * self._flops_o[:, None] * samples_goq
        link_go1 = sending * (down_s * self._down_o[:, None] + up_s * self._up_o[:, None]) + fixed_s
        duration_goq = compute_goq + link_go1
        with np.errstate(divide="ignore"):
            in_time_goq = ndtr((math.log(self._deadline_s) - np.log(duration_goq)) / spread)
        powers = np.array([(p.compute_power_w, p.radio_power_w) for p in self._profiles])
        ratio = np.array([model.energy_ratio for model in models])
        energy_goq = powers[:, 0, None, None] * compute_goq + powers[:, 1, None, None] * link_go1
        return Forecasts(
            groups=self._groups,
            options=self._options,
            devices_g=self._devices_g,
            duration_s_go=duration_goq.mean(axis=2),
            in_time_ratio_go=in_time_goq.mean(axis=2),
            energy_j_go=energy_goq.mean(axis=2) * ratio[:, None],
            uplink_bytes_go=np.tile(self._up_o, (len(self._groups), 1)),
            gain_go=self._utility(experience)[:, None]
            * experience.fidelity(self._prior_l)[self._level_o]
            * self._worth_o,
            saved_k=experience.saved_k,
        )

    def learn(
        self,
        experience: Experience,
        decision: Decision,
        figures: Mapping[str, FigureTable],
        loss: float,
    ) -> Experience:
        """Return the experience after a round.

        Args:
            experience: before it.
            decision: that was carried out.
            figures: by group, what each device reported.
            loss: of the global model on validation data after the round.
        """
        utility = dict(zip(self._groups, self._utility(experience), strict=True))
        means = dict(zip(self._groups, self._mean_g, strict=True))
        profiles = dict(zip(self._groups, self._profiles, strict=True))
        observed = {
            group: self._observed(
                profiles[group],
                self._signals.get(group),
                decision.allocations[group],
                rows,
                utility[group] / means[group],
            )
            for group, rows in figures.items()
            if group in profiles
        }
        spent_k = [
            sum(rows.total(key) for rows in figures.values())
            for key in ("uplink-update-bytes", "energy-j")
        ]
        budget_k = (self._budget.uplink_bytes, self._budget.energy_j)
        saved_k = [
            0.0 if most is None else most - spent
            for most, spent in zip(budget_k, spent_k, strict=True)
        ]
        return experience.after(observed, loss, self._prior_l, np.array(saved_k))

    def _utility(self, experience: Experience) -> Floats:
        """Return a device's mean statistical utility by group [G] (Oort, eq. 2)."""
        losses = [experience.group(group).loss for group in self._groups]
        known = [loss for loss in losses if loss is not None]
        usual = sum(known) / len(known) if known else 1.0
        return self._mean_g * [usual if loss is None else loss for loss in losses]

    def _observed(
        self,
        profile: DeviceProfile,
        signals: GroupSignals | None,
        allocation: Allocation,
        rows: FigureTable,
        utility_per_sample: float,
    ) -> Observed:
        flop_s, down_s, up_s, fixed_s = nominal_rates(profile, signals)
        done = _column(rows, "done-ratio")
        down = _column(rows, "downlink-model-bytes") + _column(rows, "downlink-knowledge-bytes")
        sending = down_s * down * done + up_s * _column(rows, "uplink-update-bytes")
        utilities = utility_per_sample * _column(rows, "num-examples")
        worth_l = np.zeros(len(self._levels))
        done_at = np.where(rows.column("status") == DONE, rows.column("severity"), -1)
        for level in self._levels:
            done_as = replace(
                level,
                epochs=min(level.epochs, allocation.epochs),
                bits=min(level.bits, allocation.bits),
            )
            share = _worth(done_as) / self._worth_o.max()
            severity = level.level.severity
            worth_l[severity] = utilities[done_at == severity].sum() * share
        return Observed(
            nominal_s=np.stack([flop_s * _column(rows, "flops"), sending], axis=1),
            fixed_s=fixed_s * done,
            duration_s=_column(rows, "total-s"),
            energy_j=_column(rows, "energy-j"),
            power_w=(profile.compute_power_w, profile.radio_power_w),
            loss=rows.mean("loss-task") if rows.has("loss-task").any() else None,
            worth_l=worth_l,
            utility=float(utilities.sum()),
        )


def _worth(option: Allocation) -> float:
    return epoch_gain(option.epochs) * precision(option.bits)


def _examples(
    world: World, members: Mapping[int, Member]
) -> tuple[dict[str, list[int]], list[float]]:
    """Return by group the numbers of samples of a panel's devices that have any.

    And how many devices of the group have samples, if the panel stands for it.
    """
    by_group, devices_g = {}, []
    for group in world.fleet.groups:
        panel = world.fleet.panel(group.name).tolist()
        examples = [one.examples for d in panel if (one := members.get(d)) and one.examples]
        if examples:
            by_group[group.name] = examples
            devices_g.append(len(world.fleet.members(group.name)) * len(examples) / len(panel))
    return by_group, devices_g


def _column(rows: FigureTable, key: str) -> Floats:
    return rows.column(key).astype(np.float64)
