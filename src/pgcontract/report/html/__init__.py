"""The report that people open: one HTML file from the JSON of any number of runs.

``reading`` takes files, ``document`` makes the page's data of what they hold, by pure functions, and ``page`` puts that
into a document with the page's own parts, which stand in ``parts/`` as they are written.
"""

from __future__ import annotations

from pgcontract.report.html.document import document
from pgcontract.report.html.page import page
from pgcontract.report.html.reading import read_results
from pgcontract.report.html.results import Results

__all__ = ["Results", "document", "page", "read_results"]
