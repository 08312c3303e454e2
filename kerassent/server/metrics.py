"""Counters and histograms, and the page that Prometheus reads.

Names, labels, buckets and layout are TensorFlow Serving's, so that one
dashboard fits both. `prometheus_client` can't write this page: it gives
counters the suffix `_total`.

Reference:
    tensorflow_serving/util/prometheus_exporter.cc,
    tensorflow_serving/servables/tensorflow/util.cc and
    tensorflow_serving/batching/batching_{session.cc,util.h}
"""

import bisect
import re
import threading
from collections.abc import Sequence
from typing import Final

# Microseconds: up to some 20 minutes, and up to a second.
_LATENCY_BOUNDS: Final = tuple(10 * 1.8**i for i in range(33))
_QUEUING_BOUNDS: Final = tuple(100 * 1.2**i for i in range(52))
_SIZE_BOUNDS: Final = tuple(2.0**i for i in range(14))
# Who asks for ever new names must not fill the memory.
MAX_SERIES: Final = 2000


def _number(value: float) -> str:
    return f"{value:.6g}"


def _labels(names: tuple[str, ...], values: tuple[str, ...]) -> str:
    return ",".join(
        f'{name}="{_escaped(value)}"'
        for name, value in zip(names, values, strict=True)
    )


def _escaped(value: str) -> str:
    # A line break would end the line; the exporter of TensorFlow Serving
    # leaves it, Prometheus's format wants it escaped.
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


class _Metric:
    def __init__(self, path: str, *labels: str) -> None:
        self.name = re.sub("[^a-zA-Z0-9_]", ":", path)
        self.labels = labels
        self.lock = threading.Lock()


class Counter(_Metric):
    """How often something happened, by labels.

    Args:
        path: TensorFlow's name, such as `/tensorflow/serving/request_count`.
        labels: The labels' names.
    """

    def __init__(self, path: str, *labels: str) -> None:
        super().__init__(path, *labels)
        self._counts: dict[tuple[str, ...], int] = {}

    def increase(self, *values: str, by: int = 1) -> None:
        """Counts one more.

        Args:
            values: The labels' values.
            by: How many more.
        """
        with self.lock:
            if values in self._counts or len(self._counts) < MAX_SERIES:
                self._counts[values] = self._counts.get(values, 0) + by

    def lines(self) -> list[str]:
        """Returns the metric as the page has it."""
        with self.lock:
            counts = sorted(self._counts.items())
        return [
            f"# TYPE {self.name} counter",
            *(
                f"{self.name}{{{_labels(self.labels, values)}}} {count}"
                for values, count in counts
            ),
        ]


class _Buckets:
    def __init__(self, count: int) -> None:
        self.counts = [0] * count
        self.sum = 0.0


class Histogram(_Metric):
    """How long something took or how large it was, by labels.

    Args:
        path: TensorFlow's name, such as `/tensorflow/serving/request_latency`.
        labels: The labels' names.
        bounds: Where each bucket but the last one ends.
    """

    def __init__(
        self,
        path: str,
        *labels: str,
        bounds: Sequence[float] = _LATENCY_BOUNDS,
    ) -> None:
        super().__init__(path, *labels)
        self._bounds = bounds
        self._series: dict[tuple[str, ...], _Buckets] = {}

    def observe(self, value: float, *values: str) -> None:
        """Counts one measurement.

        Args:
            value: Microseconds of a latency, rows of a size.
            values: The labels' values.
        """
        with self.lock:
            buckets = self._series.get(values)
            if buckets is None:
                if len(self._series) >= MAX_SERIES:
                    return
                buckets = self._series[values] = _Buckets(len(self._bounds) + 1)
            buckets.counts[bisect.bisect_right(self._bounds, value)] += 1
            buckets.sum += value

    def lines(self) -> list[str]:
        """Returns the metric as the page has it."""
        lines = [f"# TYPE {self.name} histogram"]
        with self.lock:
            series = [
                (values, list(buckets.counts), buckets.sum)
                for values, buckets in sorted(self._series.items())
            ]
        bounds = [*map(_number, self._bounds), "+Inf"]
        for values, counts, total in series:
            labels = _labels(self.labels, values)
            start = f"{self.name}_bucket{{{labels}{',' if labels else ''}"
            cumulative = 0
            for bound, count in zip(bounds, counts, strict=True):
                cumulative += count
                lines.append(f'{start}le="{bound}"}} {cumulative}')
            lines.append(f"{self.name}_sum{{{labels}}} {_number(total)}")
            lines.append(f"{self.name}_count{{{labels}}} {cumulative}")
        return lines


class Metrics:
    """All metrics of one server."""

    def __init__(self) -> None:
        serving = "/tensorflow/serving"
        self.request_count = Counter(
            f"{serving}/request_count", "model_name", "status"
        )
        self.request_latency = Histogram(
            f"{serving}/request_latency", "model_name", "API", "entrypoint"
        )
        self.runtime_latency = Histogram(
            f"{serving}/runtime_latency", "model_name", "API", "runtime"
        )
        self.warmup_latency = Histogram(
            f"{serving}/model_warmup_latency", "model_path", "status"
        )
        self.warmup_records = Counter(
            f"{serving}/model_warmup_records_read", "model_path"
        )
        batching = f"{serving}/batching_session"
        self.queuing_latency = Histogram(
            f"{batching}/queuing_latency",
            "thread_pool_name",
            bounds=_QUEUING_BOUNDS,
        )
        self.wrapped_run_count = Counter(f"{batching}/wrapped_run_count")
        self.input_batch_size = Histogram(
            f"{batching}/input_batch_size", bounds=_SIZE_BOUNDS
        )
        self.padding_size = Histogram(
            f"{batching}/padding_size",
            "execution_batch_size",
            bounds=_SIZE_BOUNDS,
        )
        self.processed_batch_size = Histogram(
            f"{batching}/processed_batch_size", bounds=_SIZE_BOUNDS
        )

    def page(self) -> str:
        """Returns what Prometheus reads."""
        metrics: tuple[Counter | Histogram, ...] = (
            self.input_batch_size,
            self.padding_size,
            self.processed_batch_size,
            self.queuing_latency,
            self.wrapped_run_count,
            self.warmup_latency,
            self.warmup_records,
            self.request_count,
            self.request_latency,
            self.runtime_latency,
        )
        return "".join(
            f"{line}\n" for metric in metrics for line in metric.lines()
        )
