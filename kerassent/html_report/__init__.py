"""The report: an evaluation as a page.

`page.py` puts it together from `verdict.py`, `figures.py`, `*pictures.py`,
`mistakes.py` and `run_facts.py`, none of which knows HTML: `templates/` does.
"""

from kerassent.html_report.page import write_report as write_report
