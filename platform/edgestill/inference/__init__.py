"""Joint inference of device and server: which half runs where, and what travels between them."""
