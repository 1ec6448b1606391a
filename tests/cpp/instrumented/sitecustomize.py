"""Loads the extension that PEARLITE_EXTENSION names in the place of the installed one.

Python imports this module when it starts, if its folder is on PYTHONPATH: so also in the processes
that tests start. The folder of an instrumented build holds nothing but the extension; the Python
files are used where they lie.
"""

import importlib.util
import os
import sys


class _Extension:
    def find_spec(self, name, path=None, target=None):
        if name != "pearlite._core":
            return None
        return importlib.util.spec_from_file_location(name, os.environ["PEARLITE_EXTENSION"])


sys.meta_path.insert(0, _Extension())
