"""What all benchmarks print, and the machine's name. Standard library only."""

import pathlib
import platform
import statistics


def say(row: str, what: str, seconds: float) -> None:
    """Prints what has just been measured."""
    print(f"{row}: {what} {seconds:.4g} s", flush=True)


def spread(values: list[float]) -> dict[str, float]:
    """Returns the median, the least and the most."""
    return {
        "median": round(statistics.median(values), 2),
        "min": round(min(values), 2),
        "max": round(max(values), 2),
    }


def times(slower: list[float], faster: list[float]) -> dict[str, float]:
    """Returns how many times the second is as fast, round by round."""
    return spread([a / b for a, b in zip(slower, faster, strict=True)])


def processor() -> str:
    """Returns the processor's own name, where the system tells it."""
    names = cpuinfo("model name")
    return names[0] if names else platform.processor()


def cpuinfo(field: str) -> list[str]:
    """Returns what `/proc/cpuinfo` has of a field, for each core.

    Args:
        field: Its name there. Without such a file there are none.
    """
    try:
        lines = pathlib.Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:  # not Linux
        return []
    return [
        line.partition(":")[2].strip()
        for line in lines
        if line.partition(":")[0].strip() == field
    ]
