"""Somebody else's ClientApp, named by reference: loaded where it runs, guarded, seeded."""

import copy
import os
import traceback
from pathlib import Path
from typing import Any

from flwr.app import Context, Error, Message, RecordDict, UserConfig
from flwr.clientapp import ClientApp
from flwr.common.constant import ErrorCode

from edgestill.errors import InputError
from edgestill.federation.foreign.guard import LOAD_FAILED, RAISED, fault_of
from edgestill.federation.foreign.loading import load_client_app, seed_everything
from edgestill.seeds import derive_seed

TURN = "_edgestill_turn"
"""Key of a message's turn beside its metadata, where the app does not see it."""


class ForeignApp(ClientApp):
    """Runs another ClientApp on messages that other devices share, as if each were alone.

    Every message gets records of its own; a state that a failed call has begun to change is put
    back; what the app returns is looked at, and what cannot be used becomes an error reply. Each
    call begins with random generators of its own, so that results do not depend on who ran where.

    It travels by reference: the app is imported where the copy arrives, before any message comes,
    and there the process goes to the app's folder.

    Args:
        reference: ``module:attribute`` of the app's ClientApp.
        folder: where its modules lie; None is the working directory of the process.
        run_config: the run's configuration, which every context gets.
        seed: of the run.
    """

    def __init__(
        self, reference: str, folder: Path | None, run_config: UserConfig, seed: int
    ) -> None:
        super().__init__()
        self._reference = reference
        self._folder = folder
        self._run_config = run_config
        self._seed = seed
        self._app: ClientApp | None = None
        self._problem = ""

    def __reduce__(self) -> tuple[Any, ...]:
        """Travel without the app itself."""
        return _arrive, (self._reference, self._folder, self._run_config, self._seed)

    def load(self) -> None:
        """Import the app, once; what goes wrong is said by each reply."""
        if self._app is None and not self._problem:
            try:
                self._app = load_client_app(self._reference, self._folder)
            except InputError as error:
                self._problem = str(error)

    def __call__(self, message: Message, context: Context) -> Message:
        """Return the app's reply, or an error reply whose text begins with the reason."""
        self.load()
        if self._app is None:
            return error_reply(
                message, LOAD_FAILED, self._problem, ErrorCode.LOAD_CLIENT_APP_EXCEPTION
            )
        context.run_config = dict(self._run_config)
        before = copy.deepcopy(context.state) if len(context.state) else RecordDict()
        self._seed_all(message, context)
        try:
            reply = self._app(_with_own_records(message), context)
        # A client may raise anything, and may want to end the process that it shares with others.
        except (Exception, SystemExit) as error:
            context.state = before
            said = f"{type(error).__name__}: {error}".strip().rstrip(":")
            return error_reply(message, RAISED, f"{said}\n{traceback.format_exc()}")
        fault = fault_of(message, reply)
        return reply if fault is None else error_reply(message, fault.reason, fault.said)

    def _seed_all(self, message: Message, context: Context) -> None:
        turn = turn_of(message)
        seed = derive_seed(
            self._seed, message.metadata.message_type, round_number=turn, device=context.node_id
        )
        seed_everything(seed)


def _arrive(reference: str, folder: Path | None, run_config: UserConfig, seed: int) -> "ForeignApp":
    if folder is not None:
        os.chdir(folder)
    app = ForeignApp(reference, folder, run_config, seed)
    app.load()
    return app


def error_reply(
    message: Message,
    reason: str,
    said: str,
    code: int = ErrorCode.CLIENT_APP_RAISED_EXCEPTION,
) -> Message:
    """Return an error reply ``reason: said``, as an app's strategy gets it from Flower's engine."""
    return Message(Error(code, f"{reason}: {said}"), reply_to=message)


def stamp(message: Message, turn: int) -> None:
    """Note in which exchange of the run a message goes out; copies of its metadata keep it."""
    message.metadata.__dict__[TURN] = turn


def turn_of(message: Message) -> int:
    """Return in which exchange of the run a message went out, from 1; 0 where nobody noted it."""
    return int(message.metadata.__dict__.get(TURN, 0))


def _with_own_records(message: Message) -> Message:
    """Return the message with copies of its records; their arrays are shared."""
    content = RecordDict({name: record.copy() for name, record in message.content.items()})
    # Flower documents this form for internal use; only it keeps the metadata.
    return Message(content=content, metadata=message.metadata)  # type: ignore[call-overload,no-any-return]
