"""A classifier as others run it: a numbered SavedModel, a keras-nlp task."""
