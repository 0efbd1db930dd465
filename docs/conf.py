from pytest_paddle_mt import __version__

project = "pytest-paddle-mt"
author = "the pytest-paddle-mt developers"
release = __version__
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build"]
html_extra_path = ["schemas"]
html_title = "pytest-paddle-mt"
html_theme = "furo"
myst_heading_anchors = 3
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
