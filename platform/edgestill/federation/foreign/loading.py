"""An app's objects, imported by Flower's own loader; whatever goes wrong is one line."""

import os
import random
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from flwr.clientapp import ClientApp
from flwr.serverapp import ServerApp
from flwr.supercore.object_ref import load_app

from edgestill.errors import InputError


@contextmanager
def at_home(folder: Path) -> Iterator[None]:
    """Work in an app's folder inside the block, and leave nothing of its modules after it."""
    before, path = Path.cwd(), list(sys.path)
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)
        sys.path[:] = path
        _forget_modules(folder)


def seed_everything(seed: int) -> None:
    """Seed the generators that an app may draw from without asking: random, numpy, torch."""
    random.seed(seed)
    np.random.seed(seed % 2**32)
    # torch.manual_seed takes a millisecond where CUDA is not in use: it keeps a stack for later.
    torch.default_generator.manual_seed(seed)
    if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        torch.cuda.manual_seed_all(seed)


def load_server_app(reference: str, folder: Path | None) -> ServerApp:
    """Import a ServerApp.

    Raises:
        InputError: it cannot be imported, or it is something else.
    """
    found = load_object(reference, folder)
    if not isinstance(found, ServerApp):
        raise InputError(f"{reference}: is a {type(found).__name__}; expected a ServerApp")
    return found


def load_client_app(reference: str, folder: Path | None) -> ClientApp:
    """Import a ClientApp by Flower's own loader.

    Raises:
        InputError: it cannot be imported, or it is something else.
    """
    found = load_object(reference, folder)
    if not isinstance(found, ClientApp):
        raise InputError(f"{reference}: is a {type(found).__name__}; expected a ClientApp")
    return found


def load_object(reference: str, folder: Path | None) -> object:
    """Import what ``module:attribute`` names, with Flower's own loader.

    Raises:
        InputError: it cannot be imported; one line says why, and where.
    """
    try:
        return load_app(reference, InputError, folder)
    except InputError as error:
        raise InputError(f"{reference}: {_one_line(error)}") from error
    # Importing a module runs it, so it may raise anything.
    except (Exception, SystemExit) as error:
        said = f"{type(error).__name__}: {_one_line(error)}".rstrip(": ")
        raise InputError(f"{reference}: cannot be imported ({said}{_where(error)})") from error


def _one_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else ""


def _where(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    own = [f for f in frames if not f.filename.startswith("<") and "importlib" not in f.filename]
    last = own[-1] if own else None
    if last is None or last.filename == __file__ or "flwr" in Path(last.filename).parts:
        return ""
    return f"; {last.filename}:{last.lineno}"


def _forget_modules(folder: Path) -> None:
    """Let the next app import its own modules, though they bear the same names."""
    for name, module in list(sys.modules.items()):
        path = getattr(module, "__file__", None)
        if path and Path(path).is_relative_to(folder):
            del sys.modules[name]
