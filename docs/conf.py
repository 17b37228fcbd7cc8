"""Sphinx: `tox run -e docs` builds the site, and every warning is an error."""

from importlib.metadata import version as version_of
from pathlib import Path

import typer
from pygments.lexers.sql import PostgresLexer
from sphinx.application import Sphinx
from typer.cli import get_docs_for_click
from typer.main import get_command

from pgcontract.cli import commands

project = "pgcontract"
version = release = version_of("pgcontract")
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.viewcode"]

html_theme = "furo"
html_title = "pgcontract"
html_show_sphinx = False
html_copy_source = False

myst_heading_anchors = 3
myst_enable_extensions = ["deflist"]

autodoc_typehints = "description"
autodoc_member_order = "bysource"
autodoc_default_options = {"members": True, "show-inheritance": True}


def setup(app: Sphinx) -> None:
    """Read SQL as PostgreSQL's, and write the page of commands: what each of them says with --help."""
    app.add_lexer("sql", PostgresLexer)
    command = get_command(commands())
    page = get_docs_for_click(obj=command, ctx=typer.Context(command), name="pgcontract", title="Commands")
    folder = Path(__file__).parent / "_generated"
    folder.mkdir(exist_ok=True)
    (folder / "commands.md").write_text(page, encoding="utf-8")
