"""The coordinator: rounds, their books, and what survives them."""
