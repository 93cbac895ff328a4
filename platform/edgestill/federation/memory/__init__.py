"""How much memory a run will take, foretold."""
