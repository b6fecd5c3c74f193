"""Configuration of Sphinx for the documentation site; ``scripts/build_site.py`` runs it."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

project = "calloff"
author = "The calloff contributors"
html_title = "calloff"
language = "en"

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "finish"]
myst_enable_extensions = ["attrs_block", "attrs_inline", "colon_fence", "deflist", "fieldlist"]
myst_heading_anchors = 4
nitpicky = True
# Types of others, and those that a signature only names, have no page here.
nitpick_ignore_regex = [("py:.*", ".*")]
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
python_use_unqualified_type_names = True
add_module_names = False
exclude_patterns = ["files"]
# Quotation marks become typographic, but two hyphens begin an option.
smartquotes_action = "qe"
# Programs in blocks are cut for the page (`…`); one that does not parse is shown as it is.
suppress_warnings = ["misc.highlighting_failure"]

html_theme = "furo"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sourcelink = False
html_show_sphinx = False
html_show_copyright = False
# A summary would be fetched, which a page opened as a file may not do.
html_show_search_summary = False
html_use_index = False
html_domain_indices = False
pygments_style = "a11y-high-contrast-light"
pygments_dark_style = "a11y-high-contrast-dark"
html_theme_options = {"navigation_with_keys": False}
