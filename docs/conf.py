"""How the documentation is built."""

import sys
from importlib import metadata
from pathlib import Path

from sphinx.application import Sphinx

sys.path.insert(0, str(Path(__file__).parent))

import _reference  # a neighbour of this file, which Sphinx runs without its folder on the path

project = "Sweepstake"
author = "Sweepstake contributors"
project_copyright = "Sweepstake contributors"
version = release = metadata.version("sweepstake")

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build", "changes", "reference/generated"]
nitpicky = False
# Docstrings put code between single backticks, as Markdown does.
default_role = "code"

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
napoleon_numpy_docstring = False
napoleon_use_ivar = True

html_theme = "furo"
html_title = "Sweepstake"
html_show_sourcelink = False


def setup(app: Sphinx) -> None:
    """Write the generated parts of the reference before the pages are read."""
    app.connect("builder-inited", lambda app: _reference.write(Path(app.srcdir) / "reference" / "generated"))
