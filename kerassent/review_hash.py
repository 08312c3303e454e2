"""The SHA-256 that tells the same reviews from others."""

import hashlib
import json

from kerassent.contract import encode_texts
from kerassent.review_base import ReviewsBase


class ReviewHash:
    """The SHA-256 of all texts and labels, in their order.

    Args:
        reviews: Whose labels and class names they are; the texts are added.
    """

    def __init__(self, reviews: ReviewsBase) -> None:
        self._digest = hashlib.sha256(json.dumps(reviews.class_names).encode())
        self._digest.update(reviews.label_ids.tobytes())

    def add(self, text: str) -> None:
        """Adds the next text."""
        [data] = encode_texts([text])
        self._digest.update(len(data).to_bytes(8, "little") + data)

    def hexdigest(self) -> str:
        """Returns the hash of what was added, in hexadecimal."""
        return self._digest.hexdigest()


def hash_reviews(reviews: ReviewsBase) -> str:
    """Returns the SHA-256 of all texts and labels, in their order.

    Args:
        reviews: The reviews; a stream is read once.
    """
    made = ReviewHash(reviews)
    for text, _ in reviews.iter_rows():
        made.add(text)
    return made.hexdigest()
