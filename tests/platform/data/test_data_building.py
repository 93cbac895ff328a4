"""What the build scripts share: artefacts, spectrograms, noise."""

import hashlib
import zipfile

import numpy as np
import pytest

from edgestill.data.arrays import npy_bytes, standardising
from edgestill.data.building import (
    checksum_line,
    modality_entries,
    run_build,
    write_artefact,
    yaml_bytes,
)
from edgestill.data.spectrogram import MelSpectrogram, coloured_noise, placed

FORM = MelSpectrogram(
    rate_hz=16_000,
    bands=20,
    frames=24,
    window=512,
    hop=256,
    lowest_hz=80.0,
    highest_hz=7_000.0,
    range_db=60.0,
)


def tone(amplitude):
    return amplitude * np.sin(2 * np.pi * 1_000 * np.arange(FORM.samples) / FORM.rate_hz)


def test_the_same_content_gives_the_same_bytes(tmp_path):
    members = {"manifest.yaml": b"name: x\n", "a.npy": npy_bytes(np.arange(5))}
    digests = [write_artefact(tmp_path / f"{name}.zip", members) for name in ("one", "two")]
    first, second = ((tmp_path / f"{name}.zip").read_bytes() for name in ("one", "two"))
    assert first == second
    assert digests == [hashlib.sha256(first).hexdigest()] * 2
    assert (tmp_path / "one.sha256").read_text() == f"{digests[0]}  one.zip\n"
    with zipfile.ZipFile(tmp_path / "one.zip") as archive:
        assert archive.namelist() == list(members)


def test_scales_come_from_the_public_rows_alone():
    values = np.concatenate([np.arange(10, dtype=np.uint8), np.full(5, 200, np.uint8)])[:, None]
    (entry,) = modality_entries({"audio": values}, (0, 10))
    assert entry["file"] == "audio.npy"
    shown = values[:10] * entry["scale"] + entry["offset"]
    assert shown.mean() == pytest.approx(0, abs=1e-5)
    assert shown.std() == pytest.approx(1, abs=1e-5)
    assert standardising(np.full(4, 7)) == (1.0, -7.0)


def test_a_manifest_keeps_the_order_of_its_keys():
    assert yaml_bytes({"name": "x", "classes": 2}) == b"name: x\nclasses: 2\n"


def test_a_rendered_array_is_known_by_the_checksum_of_its_file(tmp_path):
    array = np.arange(6, dtype=np.uint8).reshape(2, 3)
    np.save(tmp_path / "visual.npy", array)
    digest = hashlib.sha256((tmp_path / "visual.npy").read_bytes()).hexdigest()
    assert checksum_line(array, "visual.npy") == f"{digest}  visual.npy\n".encode()


def test_a_script_builds_where_it_is_told_and_says_what(tmp_path, monkeypatch, capsys):
    out = tmp_path / "one.zip"
    monkeypatch.setattr("sys.argv", ["build", "--out", str(out)])
    run_build(lambda path: write_artefact(path, {"a": b"1"}), "Build it.\n\nAnd more.")
    digest = hashlib.sha256(out.read_bytes()).hexdigest()
    assert capsys.readouterr().out == f"{digest}  {out}  {out.stat().st_size} bytes\n"


def test_a_script_without_out_says_what_it_wants(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["build"])
    with pytest.raises(SystemExit) as stopped:
        run_build(str, "Build it.\n\nAnd more.")
    assert stopped.value.code == 2
    assert "--out" in capsys.readouterr().err


def test_on_a_fixed_scale_what_is_louder_is_brighter():
    loud, soft = tone(0.5), tone(0.05)
    top_db = FORM.power_db(loud).max()
    assert FORM.cells(soft).max() == FORM.cells(loud).max() == 255
    assert FORM.cells(loud, loudest_db=top_db).max() == 255
    assert FORM.cells(soft, loudest_db=top_db).max() == round(255 * (1 - 20 / FORM.range_db))


def test_a_sound_keeps_its_length_wherever_it_is_put():
    rng = np.random.default_rng(0)
    put = placed(np.ones(100), 300, rng)
    assert (len(put), put.sum()) == (300, 100)
    assert np.diff(np.flatnonzero(put)).max() == 1
    np.testing.assert_array_equal(placed(np.arange(400.0), 300, rng), np.arange(300.0))


@pytest.mark.parametrize("exponent", [0, 1, 2])
def test_noise_has_unit_power_and_falls_as_it_should(exponent):
    rng = np.random.default_rng(1)
    drawn = [coloured_noise(FORM, rng, (exponent,)) for _ in range(40)]
    assert np.mean([np.mean(one**2) for one in drawn]) == pytest.approx(1)
    power = np.mean([np.abs(np.fft.rfft(one)) ** 2 for one in drawn], axis=0)
    hz = np.fft.rfftfreq(FORM.samples, 1 / FORM.rate_hz)
    fitted = (hz > 200) & (hz < 6_000)
    slope = np.polyfit(np.log(hz[fitted]), np.log(power[fitted]), 1)[0]
    assert slope == pytest.approx(-exponent, abs=0.1)
