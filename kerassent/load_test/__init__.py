"""Load on a served model, and what became of it.

`run_open_loop` sends requests at a rate whatever the answers do, as a crowd
that knows nothing of each other does; `run_closed_loop` has clients that wait
for an answer before they ask again; `run_sweep` finds the rate at which waiting
begins.
"""

from kerassent.load_test.closed_loop import run_closed_loop
from kerassent.load_test.connections import Connections
from kerassent.load_test.open_loop import run_open_loop
from kerassent.load_test.payloads import Payloads
from kerassent.load_test.results import LoadResult
from kerassent.load_test.sweep import Sweep, run_sweep

__all__ = [
    "Connections",
    "LoadResult",
    "Payloads",
    "Sweep",
    "run_closed_loop",
    "run_open_loop",
    "run_sweep",
]
