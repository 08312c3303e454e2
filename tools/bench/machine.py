"""What machine it is, what is installed, and who else uses it."""

import importlib.metadata
import os
import pathlib
import platform
import resource
import time
from typing import Any

from figures import cpuinfo, processor

OURS = ("tensorflow", "tensorflow-text", "keras", "keras-nlp", "tokenizers")

# What of a processor's abilities makes a difference to products.
FLAGS = (
    "avx2",
    "avx512f",
    "avx512_vnni",
    "avx512_bf16",
    "amx_bf16",
    "amx_int8",
)

TICKS = os.sysconf("SC_CLK_TCK")


def described() -> dict[str, Any]:
    """Returns the machine's name and size."""
    flags = (cpuinfo("flags") or [""])[0].split()
    family = [(cpuinfo(field) or [""])[0] for field in ("cpu family", "model")]
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return {
        "processor": processor(),
        "family_and_model": " ".join(family).strip(),
        "abilities": [flag for flag in FLAGS if flag in flags],
        "cores": os.cpu_count(),
        "memory_gib": round(pages / 2**30, 1),
        "system": f"{platform.system()} {platform.release().split('-')[0]}",
        "python": platform.python_version(),
    }


def versions() -> dict[str, str]:
    """Returns the versions of what ours stands on, and its own."""
    from kerassent.version import __version__

    found = {name: importlib.metadata.version(name) for name in OURS}
    return {"kerassent": __version__} | found


class Usage:
    """How busy the machine is, from now on."""

    def __init__(self) -> None:
        self._start = time.monotonic()
        self._all, self._own = all_seconds(), own_seconds()

    def of_others(self) -> float | None:
        """Returns how many cores others have used, on average.

        Children count as others until they have ended and been waited for.
        """
        busy = all_seconds()
        if busy is None or self._all is None:
            return None
        others = (busy - self._all) - (own_seconds() - self._own)
        return round(max(others / (time.monotonic() - self._start), 0.0), 2)


def all_seconds() -> float | None:
    """Returns the processor time that all have used, if the system tells.

    That includes what a host took away from its guest.
    """
    stat = pathlib.Path("/proc/stat")
    if not stat.exists():
        return None
    fields = [int(each) for each in stat.read_text().split("\n")[0].split()[1:]]
    user, nice, system, _, _, irq, softirq, steal, *_ = fields
    return (user + nice + system + irq + softirq + steal) / TICKS


def own_seconds() -> float:
    """Returns the processor time of this process and its ended children."""
    return sum(
        usage.ru_utime + usage.ru_stime
        for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
        for usage in [resource.getrusage(who)]
    )
