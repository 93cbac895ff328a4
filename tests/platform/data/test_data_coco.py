"""COCO's layout, on a few generated pictures and annotations of the published form."""

import json

import numpy as np
import pytest
from PIL import Image

from edgestill.data.detection import load_coco
from edgestill.errors import DataError

SIDE = 48
WIDE, HIGH = (60, 30), (20, 40)  # width, height of the two kinds of picture
GREY = 114


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    home = tmp_path / "coco"
    (home / "annotations").mkdir(parents=True)
    for subset, count in (("train2017", 13), ("val2017", 3)):
        write_subset(home, subset, count)
    return home


def write_subset(home, subset, count):
    """Pictures black but for the object of each, which is white; ids neither dense nor sorted."""
    (home / subset).mkdir()
    images, annotations = [], []
    for number in reversed(range(count)):
        width, height = WIDE if number % 2 == 0 else HIGH
        pixels = np.zeros((height, width, 3), np.uint8)
        x, y, w, h = 4, 10, 12, 16
        pixels[y : y + h, x : x + w] = 255
        name = f"{number:012}.png"
        Image.fromarray(pixels).save(home / subset / name)
        images.append({"id": 100 + 7 * number, "file_name": name, "width": width, "height": height})
        if number != 1:  # one picture of each part has no objects
            annotations.append(annotation(100 + 7 * number, [x, y, w, h]))
    tree = {
        "info": {"year": 2017},
        "images": images,
        "annotations": annotations,
        "categories": [{"id": 90, "name": "toothbrush"}, {"id": 3, "name": "car"}],
    }
    (home / "annotations" / f"instances_{subset}.json").write_text(json.dumps(tree))


def annotation(image, bbox, category=90, crowd=0):
    facts = {"id": 1, "segmentation": [[1.0, 2.0]], "area": 1.5, "image_id": image}
    return {**facts, "category_id": category, "bbox": bbox, "iscrowd": crowd}


def change(folder, part, edit):
    path = folder / "annotations" / f"instances_{part}2017.json"
    tree = json.loads(path.read_text())
    edit(tree)
    path.write_text(json.dumps(tree))


def test_boxes_lie_on_their_objects_in_the_squares(folder):
    dataset = load_coco(folder, side_pixels=SIDE)
    assert dataset.images.shape == (16, 3, SIDE, SIDE)
    for index in (0, 2, 3, 13, 15):
        (box,) = dataset.objects(index).boxes
        left, top, right, bottom = np.rint(box).astype(int)
        pixels = dataset.images[index][0]
        # Scaling blurs one pixel along the edges.
        assert (pixels[top + 1 : bottom - 1, left + 1 : right - 1] > 200).all()
        outside = pixels.copy()
        outside[top - 1 : bottom + 1, left - 1 : right + 1] = 0
        assert set(np.unique(outside)) <= {0, GREY}
    wide, high = dataset.objects(0).boxes[0], dataset.objects(3).boxes[0]
    np.testing.assert_allclose(wide, np.array([4, 10, 16, 26]) * 0.8 + [0, 12, 0, 12], rtol=1e-6)
    np.testing.assert_allclose(high, np.array([4, 10, 16, 26]) * 1.2 + [12, 0, 12, 0], rtol=1e-6)


def test_categories_are_numbered_in_the_order_of_their_ids(folder):
    dataset = load_coco(folder, side_pixels=SIDE)
    assert dataset.class_names == ("car", "toothbrush")
    assert (dataset.labels == 1).all()


def test_a_picture_without_objects_is_kept(folder):
    dataset = load_coco(folder, side_pixels=SIDE)
    assert [len(dataset.objects(i).boxes) for i in (0, 1, 2, 13, 14, 15)] == [1, 0, 1, 1, 0, 1]
    assert dataset.offsets[-1] == len(dataset.boxes) == len(dataset.labels) == 14


def test_val_is_test_and_train_is_dealt_as_in_other_layouts(folder):
    splits = load_coco(folder, side_pixels=SIDE).splits
    np.testing.assert_array_equal(splits["test"], [13, 14, 15])
    np.testing.assert_array_equal(splits["validation"], [12])
    np.testing.assert_array_equal(splits["public"], [0, 1, 5, 6, 10, 11])


def test_crowds_are_marked_and_boxes_cut_or_left_out(folder):
    def edit(tree):
        tree["annotations"] += [
            annotation(100, [50.5, -5, 40, 20], category=3, crowd=1),
            annotation(100, [70, 0, 5, 5]),  # outside
            annotation(100, [5, 5, 0, 9]),  # of no width
        ]

    change(folder, "val", edit)
    objects = load_coco(folder, side_pixels=60).objects(13)
    np.testing.assert_array_equal(objects.crowd, [False, True])
    np.testing.assert_array_equal(objects.labels, [1, 0])
    np.testing.assert_allclose(objects.boxes[1], [50.5, 15, 60, 30])


def test_pictures_are_opened_once_and_only_when_asked_for(folder):
    (folder / "train2017" / "000000000005.png").write_bytes(b"no picture")
    dataset = load_coco(folder, side_pixels=SIDE)
    first = dataset.images[np.array([3, 0])]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Image, "open", None)  # opening again would be a TypeError
        np.testing.assert_array_equal(dataset.images[[3, 0]], first)
        np.testing.assert_array_equal(dataset.inputs(np.array([0]))[0] * 255, first[1])
    with pytest.raises(DataError, match=r"05\.png \(data\.path\): cannot be read as a picture"):
        dataset.images[5]


def test_a_changed_picture_is_read_anew(folder):
    dataset = load_coco(folder, side_pixels=SIDE)
    before = dataset.images[0]
    Image.new("RGB", WIDE, (0, 0, 255)).save(folder / "train2017" / "000000000000.png")
    assert (dataset.images[0] != before).any()


def test_a_damaged_cache_is_mended(folder, tmp_path):
    dataset = load_coco(folder, side_pixels=SIDE)
    before = dataset.images[0]
    (kept,) = (tmp_path / "cache").rglob("*.rgb")
    kept.write_bytes(b"short")
    np.testing.assert_array_equal(dataset.images[0], before)


def test_a_truncated_picture_is_named(folder):
    path = folder / "val2017" / "000000000000.png"
    path.write_bytes(path.read_bytes()[:-60])
    dataset = load_coco(folder, side_pixels=SIDE)
    with pytest.raises(DataError, match=r"000\.png \(data\.path\): cannot be read as a picture"):
        dataset.images[13]


def test_a_picture_of_another_size_is_named(folder):
    Image.new("RGB", (9, 8)).save(folder / "val2017" / "000000000000.png")
    with pytest.raises(DataError, match=r"9 x 8 pixels; its annotations say 60 x 30"):
        load_coco(folder, side_pixels=SIDE).images[13]


def test_a_missing_picture_is_named_at_once(folder):
    (folder / "train2017" / "000000000004.png").unlink()
    with pytest.raises(DataError, match=r"04\.png \(data\.path\): no such picture; instances_tr"):
        load_coco(folder, side_pixels=SIDE)


def test_pictures_may_lie_under_images(folder):
    before = load_coco(folder, side_pixels=SIDE)
    picture = before.images[0]
    (folder / "images").mkdir()
    for subset in ("train2017", "val2017"):
        (folder / subset).rename(folder / "images" / subset)
    after = load_coco(folder, side_pixels=SIDE)
    assert after.digest == before.digest
    np.testing.assert_array_equal(after.images[0], picture)


@pytest.mark.parametrize("part", ["train", "val"])
def test_missing_parts_are_named(folder, part):
    (folder / f"{part}2017").rename(folder / "elsewhere")
    with pytest.raises(DataError, match=rf"{part}2017 \(data\.path\): no such folder, nor images"):
        load_coco(folder, side_pixels=SIDE)
    (folder / "annotations" / f"instances_{part}2017.json").unlink()
    with pytest.raises(DataError, match=rf"0 files annotations/instances_{part}\*\.json; expected"):
        load_coco(folder, side_pixels=SIDE)


def test_truncated_annotations_are_named(folder):
    path = folder / "annotations" / "instances_val2017.json"
    path.write_text(path.read_text()[:-20])
    with pytest.raises(DataError, match=r"val2017\.json \(data\.path\): truncated or not JSON"):
        load_coco(folder, side_pixels=SIDE)


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (lambda t: t.pop("categories"), r"\(categories\): field required"),
        (lambda t: t["annotations"][1].pop("bbox"), r"\(annotations\.1\.bbox\): field required"),
        (lambda t: t["annotations"][0]["bbox"].pop(), r"\(annotations\.0\.bbox\.3\): field req"),
        (lambda t: t["annotations"][0].update(iscrowd=2), r"annotations\.0\.iscrowd.*0 or 1"),
        (
            lambda t: t["annotations"][0].update(category_id=4),
            r"\(annotations\.0\.category_id\): 4 is not among the 2 ids",
        ),
        (
            lambda t: t["annotations"][1].update(image_id=5),
            r"\(annotations\.1\.image_id\): 5 is not among the 3 ids",
        ),
        (lambda t: t["images"][0].update(id=100), r"\(images\): the id 100 is given twice"),
        (lambda t: t["images"][0].update(file_name="../a.png"), r"'\.\./a\.png' is not the name"),
        (lambda t: t["images"][0].update(width=0), r"images\.0\.width"),
        (lambda t: t["categories"][0].update(name="cat"), r"\(categories\): not those of inst"),
    ],
)
def test_wrong_annotations_are_named(folder, edit, said):
    change(folder, "val", edit)
    with pytest.raises(DataError, match=said) as caught:
        load_coco(folder, side_pixels=SIDE)
    assert "instances_val2017.json" in str(caught.value)
    assert "\n" not in str(caught.value)
