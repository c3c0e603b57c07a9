"""Records to what people read: one HTML page for a run, one for many, the text of a pull request, a night's summary."""

from reports.campaign import Entry, write_campaign
from reports.night import night_summary
from reports.page import Account, write_report
from reports.pull_request import marker, pull_request_text, title_and_body

__all__ = [
    "Account",
    "Entry",
    "marker",
    "night_summary",
    "pull_request_text",
    "title_and_body",
    "write_campaign",
    "write_report",
]
