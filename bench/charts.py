"""Pygal, without the finder of map plugins that it puts among Python's own: it has no `find_spec`, so that Python 3.11
warns at every import thereafter. Nothing is drawn here.
"""

import sys

import pygal
from pygal.style import CleanStyle

sys.meta_path[:] = [finder for finder in sys.meta_path if not isinstance(finder, pygal.PluginImportFixer)]

__all__ = ["CleanStyle", "pygal"]
