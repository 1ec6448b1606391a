"""How Sphinx makes the site: `make docs`."""

import sys
from importlib.util import find_spec
from pathlib import Path

import matplotlib as mpl

import pearlite

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "_extensions"))

project = "pearlite"
author = "The pearlite developers"
copyright = author  # noqa: A001 (Sphinx's name)
version = release = pearlite.__version__

extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx_gallery.gen_gallery",
    "breaks",
    "docstrings",
    "mathml",
    "measured",
    "names",
    "outside",
    "pictures",
    "rest",
    "subscripts",
]
exclude_patterns = ["generated/measured/*.md", "tutorials"]
nitpicky = True
# What stands in single backticks in a docstring may be an argument; only our names must exist.
default_role = "py:obj"
nitpick_ignore_regex = [("py:.*", r"(?!(pearlite|pl)\.).*")]
show_warning_types = True

myst_enable_extensions = ["attrs_block", "colon_fence", "deflist", "dollarmath", "smartquotes"]
myst_heading_anchors = 3

autodoc_typehints = "none"  # the docstrings tell shapes and units, which types do not
autodoc_mock_imports = [name for name in ("jax", "sklearn", "torch") if find_spec(name) is None]
autodoc_default_options = {"inherited-members": True}
numpydoc_show_class_members = False
add_module_names = False
toc_object_entries_show_parents = "hide"

html_theme = "furo"
html_title = "pearlite"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sourcelink = False

mpl.use("agg")

sphinx_gallery_conf = {
    "examples_dirs": "tutorials",
    "gallery_dirs": "generated/tutorials",
    "filename_pattern": r"/\d\d_",
    "ignore_pattern": r"__init__",
    "within_subsection_order": "FileNameSortKey",
    "abort_on_example_error": True,
    "download_all_examples": False,
    "remove_config_comments": True,
    "capture_repr": (),
    "show_signature": False,
    "write_computation_times": False,
    "min_reported_time": 1e9,
    "reset_modules": ("matplotlib", "scripts.strict"),
    "reset_modules_order": "both",
    "image_scrapers": ("matplotlib",),
    "default_thumb_file": None,
}

linkcheck_timeout = 20
