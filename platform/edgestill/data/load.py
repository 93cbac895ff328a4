"""The one way in: from the configuration's ``data`` section to a :class:`Dataset`."""

from edgestill.config import DataConfig
from edgestill.data.bundled import unpacked_av_digits
from edgestill.data.dataset import Dataset
from edgestill.data.folder import load_folder
from edgestill.data.layouts import load_layout
from edgestill.errors import ConfigurationError

BUNDLED = "av_digits"


def load_dataset(config: DataConfig) -> Dataset:
    """Open the data set that the configuration names, and check all of it.

    Raises:
        ConfigurationError: no path is given and nothing of that name and layout is bundled.
        DataError: a file is missing, damaged or contradicts its manifest or layout.
    """
    if config.path is None:
        _check_bundled(config)
        return load_folder(unpacked_av_digits())
    if config.layout == "manifest":
        return load_folder(config.path)
    return load_layout(config.name, config.path, config.layout)


def _check_bundled(config: DataConfig) -> None:
    if config.layout != "manifest":
        raise ConfigurationError(
            f"data.path: missing; layout {config.layout} needs the folder of the published arrays"
        )
    if config.name != BUNDLED:
        raise ConfigurationError(
            f"data.name: {config.name!r} is not bundled ({BUNDLED} is); set data.path to its folder"
        )
