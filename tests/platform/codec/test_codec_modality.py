import numpy as np
import pytest
import torch

from edgestill.codec.modality import (
    Components,
    Resolution,
    SpectralSparsity,
    Stage,
    TemporalMerging,
    TemporalSpectral,
    WindowStatistics,
    fit_bands,
    fit_components,
    stages_of,
)
from edgestill.config import StagesConfig

RNG = np.random.default_rng(3)
PUBLIC = {
    "visual": RNG.standard_normal((40, 1, 8, 8)).astype(np.float32),
    "audio": RNG.standard_normal((40, 1, 6, 16)).astype(np.float32),
    "sensor": RNG.standard_normal((40, 3, 12)).astype(np.float32),
}
STAGES: dict[str, tuple[str, Stage]] = {
    "visual resolution": ("visual", Resolution(2)),
    "audio resolution": ("audio", Resolution(1)),
    "spectral": ("audio", SpectralSparsity()),
    "temporal": ("audio", TemporalMerging()),
    "temporal spectral": ("audio", TemporalSpectral()),
    "bands": ("audio", fit_bands(PUBLIC["audio"])),
    "statistics": ("sensor", WindowStatistics()),
    "components": ("sensor", fit_components(PUBLIC["sensor"])),
}


def _sample(kind: str) -> torch.Tensor:
    return torch.from_numpy(PUBLIC[kind][:5])


@pytest.mark.parametrize("name", STAGES)
def test_a_rate_of_one_changes_nothing_and_takes_nothing(name):
    kind, stage = STAGES[name]
    inputs = _sample(kind)
    assert torch.allclose(stage.apply(inputs, 1.0), inputs, atol=1e-5)
    assert stage.kept_bytes(tuple(inputs.shape[1:]), 1.0) == 2 * inputs[0].numel()
    assert stage.flops(tuple(inputs.shape[1:]), 1.0) == 0


@pytest.mark.parametrize("name", STAGES)
def test_a_lower_rate_keeps_fewer_bytes_and_the_batch_changes_no_sample(name):
    kind, stage = STAGES[name]
    inputs = _sample(kind)
    shape = tuple(inputs.shape[1:])
    assert stage.kept_bytes(shape, 0.25) < stage.kept_bytes(shape, 0.5) < 2 * inputs[0].numel()
    half = stage.apply(inputs, 0.5)
    assert torch.allclose(half[2:3], stage.apply(inputs[2:3], 0.5), atol=1e-5)


def test_spectral_sparsity_keeps_a_tone_by_one_coefficient():
    frames = torch.arange(16.0)
    tone = torch.cos(torch.pi / 16 * (frames + 0.5) * 3).expand(1, 1, 6, 16)
    assert torch.allclose(SpectralSparsity().apply(tone, 1 / 96), tone, atol=1e-5)


def test_what_spectral_sparsity_drops_is_the_weakest():
    inputs = _sample("audio")
    energies = [
        float((SpectralSparsity().apply(inputs, rate)).square().sum()) for rate in (0.2, 0.6, 1.0)
    ]
    assert energies == sorted(energies)
    assert energies[0] > 0.5 * energies[-1]


def test_frames_that_do_not_differ_become_one_without_loss():
    spoken = torch.tensor([1.0, 1.0, 5.0, 5.0, 5.0, 2.0, 2.0, 2.0]).expand(1, 1, 4, 8)
    merged = TemporalMerging().apply(spoken, 3 / 8)
    assert merged[0, 0, 0].tolist() == [1.0, 5.0, 2.0]


def test_merged_frames_are_means_of_their_members():
    steps = torch.tensor([0.0, 0.1, 4.0, 4.4]).reshape(1, 1, 1, 4)
    assert TemporalMerging().apply(steps, 0.5).flatten().tolist() == pytest.approx([0.05, 4.2])


def test_only_the_bands_that_vary_most_are_left_and_in_their_order():
    public = PUBLIC["audio"] * np.array([1, 9, 2, 8, 3, 7], np.float32).reshape(1, 1, 6, 1)
    kept = fit_bands(public).apply(torch.from_numpy(public[:1]), 0.5)
    assert torch.equal(kept, torch.from_numpy(public[:1, :, [1, 3, 5]]))


def test_statistics_are_means_then_deviations_of_windows():
    trace = torch.tensor([[[1.0, 3.0, 10.0, 10.0]]])
    assert WindowStatistics().apply(trace, 1.0).tolist() == trace.tolist()
    assert WindowStatistics().apply(trace, 0.5).tolist() == [[[6.0, pytest.approx(4.0620193)]]]
    two = WindowStatistics().apply(trace.repeat(1, 1, 2), 0.5)
    assert two.shape[-1] == 4


def test_components_rebuild_what_lies_in_their_span_and_fit_the_same_each_time():
    scores = RNG.standard_normal((50, 4)).astype(np.float32)
    basis = RNG.standard_normal((4, 36)).astype(np.float32)
    public = (scores @ basis).reshape(50, 3, 12)
    fitted = fit_components(public)
    rebuilt = fitted.apply(torch.from_numpy(public[:6]), 4 / 36)
    assert torch.allclose(rebuilt, torch.from_numpy(public[:6]), atol=1e-3)
    assert np.array_equal(fitted.basis, fit_components(public).basis)
    assert fitted.shared_bytes == 4 * (36 + 36 * 36)


def test_configured_names_choose_the_stages_and_only_fitted_ones_ask_for_the_public_part():
    asked: list[str] = []

    def public(kind):
        asked.append(kind)
        return PUBLIC[kind]

    plain = stages_of(StagesConfig(audio="temporal", sensor="statistics"), public)
    assert not asked
    fitted = stages_of(StagesConfig(audio="bands", sensor="components"), public)
    assert asked == ["audio", "sensor"]
    assert isinstance(fitted.by_kind["sensor"], Components)
    shares = {"audio": 0.5, "sensor": 0.5}
    inputs = {kind: _sample(kind) for kind in PUBLIC}
    assert set(plain(inputs, shares)) == {"audio", "sensor"}
    shapes = {kind: tuple(PUBLIC[kind].shape[1:]) for kind in PUBLIC}
    assert plain.kept_bytes(shapes, shares) == {"audio": 98, "sensor": 36}
    assert plain.flops(shapes, {"audio": 1.0, "sensor": 0.5})["audio"] == 0
