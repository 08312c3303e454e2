"""What is wrong with reviews, before a model learns it.

`checking.py` puts the checks together: `copy_checks.py`, `label_checks.py` and
`text_checks.py`, each over what `material.py` has worked out once.
"""

from kerassent.data_checks.checking import check_data
from kerassent.data_checks.findings import DataChecks, Example, Finding

__all__ = ["DataChecks", "Example", "Finding", "check_data"]
