"""The one way in: from the configuration's ``data`` section to a :class:`Dataset`."""

from edgestill.config import DataConfig
from edgestill.data import cifar10
from edgestill.data.bundled import unpacked
from edgestill.data.dataset import Dataset
from edgestill.data.folder import load_folder
from edgestill.data.layouts import load_layout
from edgestill.data.photo_digits import photo_digits_folder
from edgestill.data.recordings import RECORDINGS, load_recordings
from edgestill.data.scene_vqa import scene_vqa_folder
from edgestill.errors import ConfigurationError

_RENDERED = {"photo_digits": photo_digits_folder, "scene_vqa": scene_vqa_folder}
BUNDLED = ("av_digits", "affect", *_RENDERED)


def load_dataset(config: DataConfig) -> Dataset:
    """Open the data set that the configuration names, and check all of it.

    Raises:
        ConfigurationError: no path is given and nothing of that name and layout is bundled.
        DataError: a file is missing, damaged or contradicts its manifest or layout.
    """
    if config.path is None:
        _check_bundled(config)
        folder = _RENDERED.get(config.name, lambda: unpacked(config.name))
        return load_folder(folder())
    if config.layout == "manifest":
        return load_folder(config.path)
    if config.layout in RECORDINGS:
        return load_recordings(config.name, config.path, config.layout)
    if config.layout == cifar10.LAYOUT:
        return cifar10.load_cifar10(config.name, config.path)
    return load_layout(config.name, config.path, config.layout)


def _check_bundled(config: DataConfig) -> None:
    if config.layout != "manifest":
        raise ConfigurationError(
            f"data.path: missing; layout {config.layout} needs the folder that was published"
        )
    if config.name not in BUNDLED:
        raise ConfigurationError(
            f"data.name: {config.name!r} is not bundled ({', '.join(BUNDLED)} are); "
            "set data.path to its folder"
        )
