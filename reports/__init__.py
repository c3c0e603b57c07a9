"""Records to what people read: one HTML page, and the text of a pull request."""

from reports.page import write_report
from reports.pull_request import pull_request_text

__all__ = ["pull_request_text", "write_report"]
