"""Entropy coding: a stack of bits, and distributions of whole numbers as they are pushed on it; knows no model."""

from .cells import Cells, Coded, Gated, Masses
from .repeats import Repeats
from .stack import Stack

__all__ = ["Cells", "Coded", "Gated", "Masses", "Repeats", "Stack"]
