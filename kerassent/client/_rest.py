"""TensorFlow Serving's REST API. Nothing here imports TensorFlow.

Reference: https://www.tensorflow.org/tfx/serving/api_rest
"""

from base64 import b64encode
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import numpy as np
import numpy.typing as npt

from kerassent.client import _errors
from kerassent.client._deadline import Deadline
from kerassent.client._failure import Failure
from kerassent.client._http import Http
from kerassent.client._status import ModelVersionStatus, statuses_from_json
from kerassent.client._target import Target
from kerassent.client._tls import TlsFiles
from kerassent.client._transport import Classes, Outputs
from kerassent.client._waiting import MAX_THREADS, Closed, Waiting
from kerassent.contract import TEXT, rest_model_path


class RestTransport:
    """Asks one model over HTTP.

    Args:
        target: The model and its server.
        headers: HTTP headers for every request.
        tls: PEM files for an `https` address.
        waiting: How to wait.
    """

    def __init__(
        self,
        target: Target,
        *,
        headers: Mapping[str, str],
        tls: TlsFiles,
        waiting: Waiting,
    ) -> None:
        self._target = target
        self._waiting = waiting
        url = target.address.url + rest_model_path(
            target.model_name,
            version=target.version,
            label=target.version_label,
        )
        self._http = Http(target, url, headers=headers, tls=tls)
        self._only_outputs: dict[str, str] = {}

    @asynccontextmanager
    async def turn(self, deadline: Deadline | None) -> AsyncGenerator[None]:
        """Waits until there is a thread for a request."""
        try:
            await self._waiting.begin_turn(
                deadline.left() if deadline else None
            )
        except Closed as error:
            raise self._closed_meanwhile() from error
        except TimeoutError as error:
            timeout = deadline.timeout if deadline else 0.0
            raise _errors.no_turn_in_time(
                self._target, timeout, MAX_THREADS
            ) from error
        try:
            yield
        finally:
            self._waiting.end_turn()

    async def predict(
        self, texts: Sequence[bytes], *, signature_name: str, deadline: Deadline
    ) -> Outputs:
        """Returns all outputs of a signature with the input `text`."""
        question = {
            "signature_name": signature_name,
            "instances": [{TEXT: _json_text(text)} for text in texts],
        }
        answer = await self._ask(":predict", question, deadline=deadline)
        rows = answer.get("predictions") if isinstance(answer, dict) else None
        if not isinstance(rows, list) or len(rows) != len(texts):
            raise _errors.odd_answer(
                self._target,
                f"not {len(texts)} 'predictions' in {str(answer)[:200]!r}",
            )
        if not all(isinstance(row, dict) for row in rows):
            # A model with one output: rows come without its name.
            name = await self._only_output(signature_name, deadline)
            rows = [{name: row} for row in rows]
        return self._columns(rows)

    async def classify(
        self, texts: Sequence[bytes], *, signature_name: str, deadline: Deadline
    ) -> Classes:
        """Returns what TensorFlow Serving's Classify API says of texts."""
        question = {
            "signature_name": signature_name,
            "examples": [{TEXT: _json_text(text)} for text in texts],
        }
        answer = await self._ask(":classify", question, deadline=deadline)
        try:
            return [
                [(str(label), float(np.float32(score))) for label, score in row]
                for row in answer["results"]
            ]
        except (KeyError, TypeError, ValueError) as error:
            raise _errors.odd_answer(
                self._target, f"no 'results' in {str(answer)[:200]!r}"
            ) from error

    async def status(self, *, deadline: Deadline) -> list[ModelVersionStatus]:
        """Returns the state of the model's versions."""
        answer = await self._ask("", deadline=deadline)
        try:
            return statuses_from_json(answer)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise _errors.odd_answer(
                self._target, f"no model status in {str(answer)[:200]!r}"
            ) from error

    async def metadata(self, *, deadline: Deadline) -> dict[str, Any]:
        """Returns the model's signatures."""
        answer = await self._ask("/metadata", deadline=deadline)
        if not isinstance(answer, dict) or "metadata" not in answer:
            raise _errors.odd_answer(
                self._target, f"no metadata in {str(answer)[:200]!r}"
            )
        return answer

    def close(self) -> None:
        """Closes the idle connections."""
        self._http.close()

    async def _ask(
        self, path: str, question: Any = None, *, deadline: Deadline
    ) -> Any:
        """Makes one request and returns the JSON of its answer."""
        try:
            return await self._waiting.call(
                lambda: self._http.exchange(path, question, deadline)
            )
        except Closed as error:
            raise self._closed_meanwhile() from error

    def _closed_meanwhile(self) -> Failure:
        return _errors.connection_lost(self._target, "the client was closed")

    async def _only_output(
        self, signature_name: str, deadline: Deadline
    ) -> str:
        """Returns the name of a signature's only output."""
        if signature_name not in self._only_outputs:
            metadata = await self.metadata(deadline=deadline)
            try:
                signatures = metadata["metadata"]["signature_def"]
                signature = signatures["signature_def"][signature_name]
                (self._only_outputs[signature_name],) = signature["outputs"]
            except (KeyError, TypeError, ValueError) as error:
                raise _errors.odd_answer(
                    self._target,
                    "its rows have no names, and its metadata no signature "
                    f"{signature_name!r} with one output",
                ) from error
        return self._only_outputs[signature_name]

    def _columns(self, rows: list[dict[str, Any]]) -> Outputs:
        """Turns `[{output: value, ...}, ...]` by 90 degrees."""
        outputs = {}
        for name in rows[0] if rows else ():
            try:
                outputs[name] = _array([row[name] for row in rows])
            except (KeyError, ValueError) as error:
                raise _errors.odd_answer(
                    self._target, f"output '{name}': {error}"
                ) from error
        return outputs


def _json_text(text: bytes) -> str | dict[str, str]:
    """Returns a text as JSON can hold it; not all bytes are UTF-8."""
    try:
        return text.decode("utf-8")
    except UnicodeDecodeError:
        return {"b64": b64encode(text).decode("ascii")}


def _array(column: list[Any]) -> npt.NDArray[Any]:
    """Returns one output of all rows: `str` objects, or numbers.

    The server writes a float32 with just enough digits to tell it from its
    neighbours, so that float32 gives back the model's very number.
    """
    first: Any = column
    while isinstance(first, list) and first:
        first = first[0]
    if isinstance(first, str):
        strings = np.array(column, object)
        # Where the rows differ in length, numpy keeps lists as the values.
        if not all(isinstance(value, str) for value in strings.flat):
            raise ValueError(f"strings and other values in {column[:2]!r}")
        return strings
    array = np.array(column)  # ValueError where the rows differ in length
    if array.dtype.kind not in "bfi":
        raise ValueError(f"neither strings nor numbers, but {column[:1]!r}")
    return array.astype(np.float32) if array.dtype.kind == "f" else array
