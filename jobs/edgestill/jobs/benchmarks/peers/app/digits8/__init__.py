"""A Flower app and a pfl program that do the same work; neither imports anything of edgestill."""
