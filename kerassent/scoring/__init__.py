"""Files of any size through a model: a chunk of rows at a time, resumable."""
