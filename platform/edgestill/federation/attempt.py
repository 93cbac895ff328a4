"""What a device's code raises is its own error reply, never its neighbours'."""

import traceback
from collections.abc import Callable
from typing import TypeVar

from flwr.app import Error, Message
from flwr.common.constant import ErrorCode

Result = TypeVar("Result")


def attempt(request: Message, act: Callable[[], Result]) -> Result | Message:
    """Return what ``act`` returns, or an error reply with the traceback, as Flower's engine does.

    A device's code may raise anything.
    """
    try:
        return act()
    except Exception:
        error = Error(ErrorCode.CLIENT_APP_RAISED_EXCEPTION, traceback.format_exc())
        return Message(error, reply_to=request)
