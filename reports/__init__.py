"""Records to what people read: one HTML page, the text of a pull request, a night's summary."""

from reports.night import night_summary
from reports.page import write_report
from reports.pull_request import pull_request_text

__all__ = ["night_summary", "pull_request_text", "write_report"]
