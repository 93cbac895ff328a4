"""`edgestill infer`: files in, answers out, whoever gives them; mistakes by name, exit code 2."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edgestill.inference.joint import load_cloud, save_joint
from edgestill.inference.service import ServiceServer, ServiceSettings
from edgestill.jobs import cli

sys.path.append(str(Path(__file__).parents[1] / "platform" / "inference"))

from certificates import write_certificates
from joint_models import model, pictures

PICTURES = pictures(6)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A model that nobody trained: it finds nearly everything hard."""
    folder = tmp_path_factory.mktemp("joint")
    save_joint(folder, model(), {})
    return folder


@pytest.fixture(scope="module")
def pem(tmp_path_factory):
    return write_certificates(tmp_path_factory.mktemp("pem"))


@pytest.fixture(scope="module")
def cloud(folder, pem):
    """The address of a cloud that asks for a token, with TLS."""
    server = ServiceServer(
        load_cloud(folder),
        ServiceSettings(token="s3cret"),  # noqa: S106 - a test's
        host="127.0.0.1",
        port=0,
        certificate=pem[1],
        key=pem[2],
    )
    yield f"https://127.0.0.1:{server.port}"
    server.stop()


@pytest.fixture
def given(tmp_path):
    """A folder of four pictures and a file of two arrays."""
    folder = tmp_path / "given"
    folder.mkdir()
    for number, picture in enumerate(PICTURES[:4]):
        suffix = "png" if number % 2 else "jpg"
        Image.fromarray(picture.transpose(1, 2, 0)).save(folder / f"{number}.{suffix}", quality=95)
    np.save(folder / "two.npy", PICTURES[4:6])
    (folder / "notes.txt").write_text("not an input")
    return folder


@pytest.fixture
def infer(folder, capsys, monkeypatch):
    """Run the command with the right token; give its exit code, output and errors."""
    monkeypatch.setenv("EDGESTILL_SERVING_TOKEN", "s3cret")

    def run(*arguments, of=folder):
        options = ["infer", str(of), "--deadline-ms", "20000", *map(str, arguments)]
        code = cli._guarded(lambda: cli.app(options, standalone_mode=False))
        return code, *capsys.readouterr()

    return run


def lines_of(printed):
    return [json.loads(line) for line in printed.splitlines()]


def test_a_folder_is_a_stream_whose_hard_inputs_the_cloud_answers(infer, cloud, given, pem):
    code, printed, errors = infer("--input", given, "--cloud", cloud, "--ca", pem[0])
    assert (code, errors) == (0, "")
    head, *_ = printed.splitlines()
    assert head.startswith("6 inputs: ")
    assert "by the cloud" in head
    for name in ("0.jpg", "1.png", "2.jpg", "3.png", "two.npy[0]", "two.npy[1]"):
        assert printed.count(name) == 1
    assert "notes.txt" not in printed


def test_json_has_one_line_for_each_input_with_the_time_by_part(infer, cloud, given, pem):
    code, printed, _ = infer("--input", given, "--cloud", cloud, "--ca", pem[0], "--json")
    rows = lines_of(printed)
    assert (code, len(rows)) == (0, 6)
    asked = [row for row in rows if row["reason"] == "asked"]
    assert asked
    for row in asked:
        assert row["answer"]["by"] == "cloud"
        assert row["bytes_sent"] > 0
        assert row["edge_s"] > 0
        assert row["link_s"] > 0
        assert row["cloud_s"] > 0


def test_without_a_cloud_the_device_answers_alone(infer, given):
    code, printed, errors = infer("--input", given / "0.jpg", "--json")
    (row,) = lines_of(printed)
    assert (code, errors, row["answer"]["by"], row["bytes_sent"]) == (0, "", "edge", 0)


def test_a_cloud_that_is_gone_costs_no_answer_and_is_said_once(infer, given):
    code, printed, errors = infer("--input", given, "--cloud", "http://127.0.0.1:9")
    assert code == 0
    assert printed.startswith("6 inputs: 6 by the edge")
    assert "http://127.0.0.1:9: ConnectError" in errors
    assert errors.count("\n") <= 2


def test_a_token_or_a_certificate_that_is_refused_is_exit_code_2_after_the_answers(
    infer, cloud, given, pem, tmp_path, monkeypatch
):
    code, printed, errors = infer("--input", given, "--cloud", cloud)
    assert code == 2
    assert printed.startswith("6 inputs: 6 by the edge")
    assert "its certificate: " in errors
    (tmp_path / "token").write_text("another")
    code, printed, errors = infer(
        *("--input", given, "--cloud", cloud, "--ca", pem[0]),
        *("--token-file", tmp_path / "token"),
    )
    assert code == 2
    assert printed.startswith("6 inputs: 6 by the edge")
    assert "401: the header Authorization lacks" in errors
    assert "another" not in printed + errors


def test_a_service_of_another_model_is_exit_code_2(infer, cloud, given, pem, tmp_path):
    save_joint(tmp_path / "other", model(seed=5), {})
    code, printed, errors = infer(
        "--input", given, "--cloud", cloud, "--ca", pem[0], of=tmp_path / "other"
    )
    assert code == 2
    assert "6 by the edge" in printed
    assert "409: the frame is for model" in errors


def wide(path):
    Image.new("RGB", (24, 16)).save(path)


BAD = {
    "wide.png": (wide, "24 x 16 pixels; the model takes 16 x 16"),
    "torn.png": (lambda path: path.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(20)), "cannot be read"),
    "text.jpg": (lambda path: path.write_text("hello"), "cannot be read"),
    "empty.npy": (lambda path: path.write_bytes(b""), "cannot be read"),
    "floats.npy": (lambda path: np.save(path, np.zeros((3, 16, 16))), "float64"),
    "flat.npy": (lambda path: np.save(path, np.zeros(768, np.uint8)), "[768]"),
    "code.npy": (lambda path: np.save(path, np.array([{}], object)), "cannot be read"),
    "other.npz": (lambda path: np.savez(path, audio=np.zeros(4)), "expected visual"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_file_that_is_no_input_is_one_line_with_its_name(infer, tmp_path, name):
    write, said = BAD[name]
    write(tmp_path / name)
    code, printed, errors = infer("--input", tmp_path / name)
    assert (code, printed, errors.count("\n")) == (2, "", 1)
    assert f"{tmp_path / name}: " in errors
    assert said in errors


def test_in_a_folder_bad_files_are_named_and_the_others_answered(infer, given):
    for name, (write, _) in BAD.items():
        write(given / name)
    code, printed, errors = infer("--input", given)
    assert code == 2
    assert printed.startswith("6 inputs: 6 by the edge")
    assert printed.count("unreadable") == len(BAD)
    for name in BAD:
        assert f"{given / name}: " in errors
    assert errors.count("\n") == len(BAD)


def test_nothing_to_answer_is_one_line(infer, tmp_path):
    for path, said in ((tmp_path, "no .png"), (tmp_path / "none.png", "no such file")):
        code, printed, errors = infer("--input", path)
        assert (code, printed, errors.count("\n")) == (2, "", 1)
        assert said in errors


def test_a_npz_has_an_array_for_each_kind(infer, tmp_path):
    np.savez(tmp_path / "all.npz", visual=PICTURES[:3])
    code, printed, _ = infer("--input", tmp_path / "all.npz", "--json")
    assert code == 0
    assert [row["file"] for row in lines_of(printed)] == [f"all.npz[{n}]" for n in range(3)]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--cloud", "127.0.0.1:80"), "expected a URL such as https"),
        (("--ca", "none.pem", "--cloud", "https://127.0.0.1:1"), "no certificates to trust"),
        (("--token-file", "none"), "--token-file none: cannot be read"),
        (("--deadline-ms", "0"), "--deadline-ms"),
    ],
)
def test_a_wrong_option_is_one_line(infer, given, arguments, said):
    code, printed, errors = infer("--input", given, *arguments)
    assert (code, printed, errors.count("\n")) == (2, "", 1)
    assert said in errors


def test_a_model_with_figures_sends_no_more_than_keeps_the_clouds_accuracy(
    infer, cloud, given, pem, tmp_path
):
    def rates(scores):
        ways = [{"way": "edge", "score": 0.5}, *({"score": score} for score in scores)]
        facts = {"kept": 0.99, "ways": {"cloud": {"validation": ways}}}
        save_joint(tmp_path / "figures", model(), facts)
        code, printed, _ = infer(
            *("--input", given, "--cloud", cloud, "--ca", pem[0], "--json"),
            of=tmp_path / "figures",
        )
        assert code == 0
        return {row["rate"] for row in lines_of(printed) if row["reason"] == "asked"}

    assert rates((0.90, 0.95, 0.95)) == {1}
    assert rates((0.95, 0.95, 0.95)) == {0}
    assert rates((0.80, 0.90, 0.95)) == {2}
    assert rates((0.95,)) == {2}  # of another model: they are passed over


NEITHER = """
import sys
FORBIDDEN = ("ray", "fastapi", "uvicorn", "flwr", "edgestill.actors", "edgestill.training",
             "edgestill.inference.service", "edgestill.inference.joint.training")

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if any(name == one or name.startswith(one + ".") for one in FORBIDDEN):
            raise ImportError(f"{name} is not for devices")

sys.meta_path.insert(0, Refuse())
from edgestill.jobs.cli import main
main()
"""


def test_a_device_needs_neither_ray_nor_a_web_framework_nor_training(folder, given):
    arguments = [sys.executable, "-c", NEITHER, "infer", str(folder), "--input", str(given)]
    done = subprocess.run(  # noqa: S603 - our own script
        [*arguments, "--cloud", "http://127.0.0.1:9", "--json"],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 6
