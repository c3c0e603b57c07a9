"""Records to what people read: one HTML page for a run, one for many, and the text of a pull request."""

from reports.campaign import Entry, write_campaign
from reports.page import write_report
from reports.pull_request import pull_request_text

__all__ = ["Entry", "pull_request_text", "write_campaign", "write_report"]
