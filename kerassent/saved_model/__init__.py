"""A classifier as a numbered SavedModel that answers raw strings."""
