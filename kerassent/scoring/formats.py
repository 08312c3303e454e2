"""Which format an output has, by its ending."""

from pathlib import Path
from typing import Final

from kerassent.errors import listed
from kerassent.scoring.output import Output
from kerassent.scoring.parquet_output import ParquetOutput
from kerassent.scoring.text_output import CsvOutput, JsonLinesOutput, TsvOutput
from kerassent.scoring.xlsx_output import XlsxOutput

_FORMATS: Final[dict[str, type[Output]]] = {
    ".xlsx": XlsxOutput,
    ".csv": CsvOutput,
    ".tsv": TsvOutput,
    ".parquet": ParquetOutput,
    ".jsonl": JsonLinesOutput,
    ".ndjson": JsonLinesOutput,
}


def output_class(path: Path) -> type[Output]:
    """Returns the format of an output.

    Args:
        path: The output, whose ending says it.

    Raises:
        ValueError: There is none with this ending.
    """
    found = _FORMATS.get(path.suffix.lower())
    if found is None:
        raise ValueError(
            f"`output` {path.name!r} ends in {path.suffix!r}. Scored rows are "
            f"written to files that end in {listed(_FORMATS, 6)}."
        )
    return found
