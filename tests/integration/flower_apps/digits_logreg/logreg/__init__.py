"""Logistic regression on handwritten digits."""
