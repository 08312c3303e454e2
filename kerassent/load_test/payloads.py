"""What is sent: texts, in an order of their own, again and again."""

import random
from collections.abc import Sequence

from kerassent.contract import encode_texts
from kerassent.load_test.bounds import checked_count


class Payloads:
    """The texts of each request.

    Args:
        texts: Texts like those the server will get. Their order is shuffled,
            since files are often sorted; when all were sent they begin again.
        texts_per_request: How many texts a request has.
        seed: Of the order.

    Raises:
        ValueError: There are no texts, or a request would have none.
    """

    def __init__(
        self,
        texts: Sequence[str | bytes],
        *,
        texts_per_request: int = 1,
        seed: int = 0,
    ) -> None:
        checked_count("texts_per_request", texts_per_request)
        self._texts = encode_texts(texts)
        if not self._texts:
            raise ValueError("`texts` must hold at least one text.")
        random.Random(seed).shuffle(self._texts)
        self.texts_per_request = texts_per_request

    @property
    def num_texts(self) -> int:
        """How many texts there are before they begin again."""
        return len(self._texts)

    @property
    def mean_bytes(self) -> float:
        """How long a text is on average, as UTF-8."""
        return sum(map(len, self._texts)) / len(self._texts)

    def request(self, number: int) -> list[bytes]:
        """Returns the texts of a request.

        Args:
            number: The request's number, from 0 on.
        """
        first = number * self.texts_per_request
        return [
            self._texts[i % len(self._texts)]
            for i in range(first, first + self.texts_per_request)
        ]
