"""Generators of clients, one module per language; scripts/generate.py runs them."""
