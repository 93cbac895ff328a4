"""A model family by dotted name: ours, or the user's own."""

import importlib
from collections.abc import Mapping
from typing import Protocol, cast

from torch import nn

from edgestill.errors import ConfigurationError


class Factory(Protocol):
    """Builds a module whose forward takes inputs by kind and returns :class:`Output`.

    It must take any subset of the kinds, each also at the lower resolutions that levels name.
    A narrower module must have the same parameter names, each the leading block of the wide one,
    and embeddings of the same size, which are compared with the teacher's.
    """

    def __call__(
        self, modalities: Mapping[str, tuple[int, ...]], classes: int, width: float = 1.0
    ) -> nn.Module:
        """Build the module for input shapes by kind (without batch), K classes, width in (0, 1]."""


def load_factory(name: str, *, key: str) -> Factory:
    """Import ``package.module:attribute``.

    Raises:
        ConfigurationError: naming ``key``, when it cannot be imported or called.
    """
    module_name, separator, attribute = name.partition(":")
    if not separator or not attribute or not module_name or module_name.startswith("."):
        raise ConfigurationError(f"{key}: expected package.module:attribute, got {name!r}")
    try:
        factory = getattr(importlib.import_module(module_name), attribute)
    except (ImportError, AttributeError) as error:
        raise ConfigurationError(f"{key}: {name!r} cannot be imported: {error}") from error
    if not callable(factory):
        raise ConfigurationError(f"{key}: {name!r} is not callable")
    return cast(Factory, factory)
