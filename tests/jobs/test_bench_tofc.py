"""bench tofc: what counts as saved, and that every coding is trained, framed and scored."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edgestill.inference.split import Merging
from edgestill.inference.split.scenes import part
from edgestill.jobs.benchmarks.tofc.curves import Curve, gain
from edgestill.jobs.benchmarks.tofc.models import Trained, train
from edgestill.jobs.benchmarks.tofc.pictures import SAVED, compressed, restored
from edgestill.jobs.benchmarks.tofc.plan import (
    FULL,
    QUICK,
    ImageCoding,
    PlainCoding,
    TokenCoding,
)
from edgestill.jobs.benchmarks.tofc.sent import Sending, send, sendings, sent
from edgestill.jobs.benchmarks.tofc.tasks import Job, Point, halves_folder, measure_coding
from edgestill.jobs.benchmarks.tofc.timing import (
    WARM_UP,
    Parts,
    Way,
    picture_way,
    timed,
    token_way,
)
from edgestill.jobs.benchmarks.tofc.verdict import judged, matches, seed_figures

TINY = replace(
    QUICK,
    scenes=64,
    scene_epochs=1,
    answer_epochs=1,
    joint_epochs=0,
    tuned_scenes=64,
    validated=6,
    tested=6,
)
WEBP = ImageCoding(form="WebP", quality=30, side=96, tuned=False)
CODINGS = (
    TokenCoding(name="1 expert", rate_weight=0.01, experts=1),
    TokenCoding(name="pooling", rate_weight=0.01, merging=Merging(method="pooling", count=8)),
    PlainCoding(name="fp16", bits=16),
    WEBP,
    replace(WEBP, side=64),
    replace(WEBP, tuned=True),
)


def point(coding, size, accuracy, seed=1):
    return Point(
        seed=seed,
        coding=coding,
        accuracy=accuracy,
        own_accuracy=accuracy,
        relational_accuracy=accuracy,
        bytes=size,
        validation_accuracy=accuracy,
        validation_bytes=size,
    )


def tofc(size, accuracy, name=f"{16} experts", weight=0.1):
    return point(TokenCoding(name=name, rate_weight=weight), size, accuracy)


def test_a_curve_drops_what_another_point_beats():
    curve = Curve.of([(100, 0.8), (120, 0.7), (200, 0.9)])
    assert curve == Curve(bytes=(100, 200), accuracies=(0.8, 0.9))


def test_bytes_between_two_points_are_their_geometric_mean_and_nothing_is_extrapolated():
    curve = Curve(bytes=(100, 400), accuracies=(0.8, 0.9))
    assert curve.bytes_for(0.85) == pytest.approx(200)
    assert curve.bytes_for(0.1) == pytest.approx(100)
    assert curve.bytes_for(0.904) == pytest.approx(400)
    assert curve.bytes_for(0.906) == math.inf
    assert math.isnan(curve.accuracy_at(99))
    assert curve.accuracy_at(900) == 0.9


def test_the_gain_is_the_mean_difference_and_changes_sign_with_the_sides():
    better = Curve(bytes=(100, 400), accuracies=(0.8, 0.9))
    worse = Curve(bytes=(100, 400), accuracies=(0.75, 0.85))
    assert gain(better, worse) == pytest.approx(0.05)
    assert gain(worse, better) == pytest.approx(-0.05)


def test_the_image_codecs_count_where_tofc_saves_least_of_their_useful_points():
    """Not at 60 bytes, where the image codec answers little; not at 2,000, where most is saved."""
    points = [
        point(replace(WEBP, quality=q), size, accuracy)
        for q, size, accuracy in ((1, 60, 0.5), (2, 500, 0.91), (3, 2000, 0.94))
    ]
    match = matches([*points, tofc(100, 0.92), tofc(200, 0.95)])[1]
    assert match.theirs.bytes == 500
    assert match.saved_ratio == pytest.approx(0.8)
    assert match.ours is not None
    assert match.ours.bytes == 100


@pytest.mark.parametrize(("reached", "holds"), [(0.93, True), (0.92, False)])
def test_bytes_are_saved_only_at_equal_accuracy(reached, holds):
    """TOFC at a fifth of the bytes: half a point below counts as equal, a whole point does not."""
    points = [
        point(WEBP, 500, 0.934),
        tofc(100, reached),
        tofc(100, reached, "1 expert"),
        tofc(100, reached, "pooling"),
    ]
    trained = [Trained(seed=1, accuracy=0.9, own_accuracy=0.9, relational_accuracy=0.9)]
    times = {"tofc": Parts(device_ms=2, server_ms=1, bytes=100)}
    measured = judged(TINY, trained, points, times)
    claims = {claim.id: claim for claim in measured.claims}
    assert claims["tofc_bytes_saved_vs_best_image_codec"].holds is holds
    assert claims["tofc_latency_saved"].value is None
    assert claims["tofc_experts_gain"].value == pytest.approx(0)


def test_time_is_device_link_and_server():
    assert Parts(device_ms=2, server_ms=3, bytes=500).total_ms(50_000) == pytest.approx(15)


@pytest.mark.parametrize("form", sorted(SAVED))
def test_pictures_keep_shape_and_place_through_an_image_codec(form):
    picture = np.zeros((3, 96, 96), np.uint8)
    picture[0, :48] = 200
    for side in (96, 64):
        content = compressed(picture, ImageCoding(form=form, quality=80, side=side, tuned=False))
        seen = restored(content).astype(int)
        assert seen.shape == (3, 96, 96)
        assert abs(seen[0, :40].mean() - 200) < 12
        assert seen[0, 56:].mean() < 12


def test_the_full_form_compares_everything_that_is_claimed():
    for amount in (FULL, QUICK):
        names = {coding.name for coding in amount.codings}
        assert {"16 experts", "1 expert", "pooling", "int8", "fp16"} <= names
        assert {"WebP", "JPEG 4:4:4", "JPEG 4:4:4, fine-tuned"} <= names
    assert len(FULL.seeds) == 3
    assert len(QUICK.seeds) == 1


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """Every kind of coding, trained in little, with its folder."""
    folder = tmp_path_factory.mktemp("tofc")
    amount = replace(TINY, codings=CODINGS)
    trained = train(7, amount, folder)
    for sending in sendings(amount, folder):
        send(sending)
    jobs = [Job(seed=7, coding=coding, amount=amount, folder=folder) for coding in CODINGS]
    return trained, jobs, [measure_coding(job) for job in jobs]


def test_every_kind_of_coding_is_trained_framed_and_scored(measured):
    trained, _, points = measured
    assert 0 < trained.accuracy < 1
    assert all(0 < one.accuracy < 1 for one in points)
    learned, _, half, image, small, tuned = (one.bytes for one in points)
    assert half > 8 * 64 * 2
    assert 24 < learned < half / 2
    assert small < image == tuned


def test_pictures_are_compressed_once_for_all_seeds_and_for_tuning():
    amount = replace(TINY, codings=CODINGS, seeds=(1, 2))
    found = [(one.split, one.count, one.coding.side) for one in sendings(amount, Path())]
    assert found[0] == ("public", 64, 96)
    assert sorted(found[1:]) == sorted(
        (split, 6, side) for split in ("validation", "test") for side in (96, 64)
    )


def test_what_is_kept_of_a_picture_is_its_file_and_what_that_holds(measured):
    _, jobs, _ = measured
    seen, sizes = sent(Sending(split="test", count=6, coding=WEBP, folder=jobs[0].folder))
    files = [compressed(pixels, WEBP) for pixels in part("test", 6).pictures.pixels]
    assert sizes.tolist() == [len(content) for content in files]
    assert np.array_equal(seen.pictures.pixels[5], restored(files[5]))


def test_the_timed_halves_send_the_frames_that_were_scored(measured):
    _, jobs, points = measured
    ways = {
        "tofc": token_way(halves_folder(jobs[0], CODINGS[0])),
        "image": picture_way(jobs[3], WEBP),
    }
    times = timed(ways, 6, 6)
    assert times["tofc"].bytes == pytest.approx(points[0].bytes)
    assert times["image"].bytes == pytest.approx(points[3].bytes)
    assert times["tofc"].device_ms > 0


def test_ways_take_turns_on_the_same_requests():
    turns = []

    def way(name):
        return Way(
            send=lambda image: turns.append((name, image.sum())) or b"x",
            answer=lambda content, questions: np.zeros(len(questions), np.int64),
        )

    timed({"one": way("one"), "two": way("two")}, 6, 2)
    assert [name for name, _ in turns] == ["one", "two"] * (WARM_UP + 2)
    assert all(a[1] == b[1] for a, b in zip(turns[::2], turns[1::2], strict=True))


def test_a_seed_that_saves_nothing_is_not_left_out_of_the_mean():
    assert seed_figures([0.5, -math.inf])["mean"] is None
    assert seed_figures([0.5, -math.inf])["by_seed"] == [0.5, None]
    assert seed_figures([0.5, 0.7])["mean"] == pytest.approx(0.6)


def test_parts_are_the_first_scenes_of_a_split():
    scenes = part("test", 5)
    assert len(scenes.pictures) == 5
    values = scenes.pictures[np.arange(5)]
    assert values.shape == (5, 3, 96, 96)
    assert abs(float(values.mean())) < 1.5
