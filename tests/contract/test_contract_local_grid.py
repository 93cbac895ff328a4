"""The contract of grids on the one that runs in this process."""

import pytest
from grid_contract import GridContract

from edgestill.federation import LocalGrid


class TestLocalGrid(GridContract):
    @pytest.fixture
    def make_grid(self):
        return LocalGrid
