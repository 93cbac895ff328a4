"""Other implementations for torch's functions while a user's unmodified model runs."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from torch.overrides import TorchFunctionMode

Table = Mapping[Any, Callable[..., Any]]


class Interception(TorchFunctionMode):
    """Calls of the table's keys, inside of the context, go to its values.

    What these call in turn is not intercepted.
    """

    def __init__(self, table: Table) -> None:
        super().__init__()
        self._table = table

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Call the table's function, or the one that was meant."""
        return self._table.get(func, func)(*args, **(kwargs or {}))
