"""What the devices of a round reported, in columns: a few bytes for each figure, no dict a device.

Shape letter: n, the devices that reported, ascending.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgestill.errors import FrameError

Figures = Mapping[str, float]
Numbers = NDArray[np.int64] | NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class FigureTable(Mapping[int, Figures]):
    """Device to what it reported; rows are made when asked for, columns are at hand.

    Attributes:
        devices: int64 [n].
        columns: figure to its values [n], int64 where all are integers; 0 where it is absent.
        present: figure to which devices reported it [n].
    """

    devices: NDArray[np.int64]
    columns: Mapping[str, Numbers]
    present: Mapping[str, NDArray[np.bool_]]

    @classmethod
    def of(cls, rows: Mapping[int, Figures]) -> "FigureTable":
        """Return rows as a table."""
        builder = TableBuilder(list(rows))
        for device, figures in rows.items():
            builder.enter(device, figures)
        return builder.table()

    def __len__(self) -> int:
        """Return n."""
        return len(self.devices)

    def __iter__(self) -> Iterator[int]:
        """Return the devices."""
        return iter(self.devices.tolist())

    def __getitem__(self, device: int) -> Figures:
        """Return what one device reported; raises KeyError if it did not."""
        place = int(np.searchsorted(self.devices, device))
        if place == len(self) or self.devices[place] != device:
            raise KeyError(device)
        return {
            name: column[place].item()
            for name, column in self.columns.items()
            if self.present[name][place]
        }

    def column(self, name: str) -> Numbers:
        """Return a figure of all devices [n], 0 where it is absent."""
        return self.columns[name] if name in self.columns else np.zeros(len(self))

    def has(self, name: str) -> NDArray[np.bool_]:
        """Return which devices reported a figure [n]."""
        return self.present[name] if name in self.present else np.zeros(len(self), np.bool_)

    def total(self, name: str) -> float:
        """Return the sum of a figure; integers stay integers, so that bytes are counted exactly."""
        if name not in self.columns:
            return 0
        total: float = self.columns[name].sum().item()
        return total

    def mean(self, name: str) -> float:
        """Return the mean of a figure over those who reported it; 0.0 if nobody did."""
        count = int(self.has(name).sum())
        return self.total(name) / count if count else 0.0

    def where(self, chosen: NDArray[np.bool_]) -> "FigureTable":
        """Return the table of some of the devices, chosen by a mask [n]."""
        return FigureTable(
            self.devices[chosen],
            {name: column[chosen] for name, column in self.columns.items()},
            {name: mask[chosen] for name, mask in self.present.items()},
        )


@dataclass(slots=True)
class TableBuilder:
    """Takes rows in any order and gives them as a table in order of device."""

    asked: Sequence[int]
    _places: dict[int, int] = field(init=False)
    _columns: dict[str, Numbers] = field(default_factory=dict)
    _present: dict[str, NDArray[np.bool_]] = field(default_factory=dict)
    _entered: NDArray[np.bool_] = field(init=False)

    def __post_init__(self) -> None:
        """Make room for one row of each device asked."""
        self._places = {device: place for place, device in enumerate(sorted(self.asked))}
        self._entered = np.zeros(len(self._places), np.bool_)

    def __len__(self) -> int:
        """Return how many rows were entered."""
        return int(np.count_nonzero(self._entered))

    def enter(self, device: int, figures: Mapping[str, Any]) -> None:
        """Take a device's row.

        Raises:
            FrameError: a figure is not a number.
        """
        place = self._places[device]
        for name, value in figures.items():
            column = self._columns.get(name)
            if column is None or (column.dtype.kind == "i" and isinstance(value, float)):
                column = self._widened(name, value)
            try:
                column[place] = value
            except (TypeError, ValueError, OverflowError) as error:
                raise FrameError(f"figure {name}: {error}") from error
            self._present[name][place] = True
        self._entered[place] = True

    def table(self) -> FigureTable:
        """Return what was entered."""
        devices = np.array(sorted(self._places), np.int64)
        whole = FigureTable(devices, self._columns, self._present)
        return whole if self._entered.all() else whole.where(self._entered)

    def _widened(self, name: str, value: Any) -> Numbers:
        """Return a column that can take the value: of floats from the first float on."""
        held = self._columns.get(name)
        if held is None:
            self._present[name] = np.zeros(len(self._places), np.bool_)
            held = np.zeros(len(self._places), np.int64)
        column: Numbers = held.astype(np.float64) if isinstance(value, float) else held
        self._columns[name] = column
        return column
