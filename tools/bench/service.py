"""A service as people write one, for `services.py`, where torch is.

SERVICE_MODEL=CHECKPOINT SERVICE_DTYPE=float32 uvicorn service:app
"""

import os

from fastapi import FastAPI
from pydantic import BaseModel
from transformers import pipeline

app = FastAPI()
classifier = pipeline(
    "text-classification",
    model=os.environ["SERVICE_MODEL"],
    dtype=os.environ["SERVICE_DTYPE"],
    device="cpu",
)


class Review(BaseModel):
    """What is asked."""

    text: str


@app.post("/predict")
def predict(review: Review) -> list[dict[str, object]]:
    """Returns each class's name and score."""
    found: list[dict[str, object]] = classifier(
        review.text, truncation=True, top_k=None
    )
    return found
