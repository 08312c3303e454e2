"""The packaged sample: reviews that are there without a file of one's own."""

import importlib.resources

from kerassent.reviews import Reviews, load_reviews

TEXT_COLUMN = "Reviews"
LABEL_COLUMN = "Sentiment"


def load_sample() -> Reviews:
    """Returns the packaged sample: 504 short reviews, no benchmark."""
    packaged = importlib.resources.files("kerassent") / "sample/reviews.csv"
    with importlib.resources.as_file(packaged) as path:
        return load_reviews(path, text=TEXT_COLUMN, label=LABEL_COLUMN)
