"""Keras callbacks for any compiled Keras 3 model on the TensorFlow backend."""
