"""A scan as files that people and tools read: Markdown, SARIF for code scanning, one HTML page."""

from reports.inventory.markdown import markdown
from reports.inventory.page import page
from reports.inventory.sarif import sarif

__all__ = ["markdown", "page", "sarif"]
