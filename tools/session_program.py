"""Answers of a SavedModel's signatures, in a Session, as TensorFlow Serving.

Runs where kerassent is not: needs TensorFlow and TensorFlow Text alone.

    python session_program.py SAVED_MODEL BATCHES.json ANSWERS.json

A batch is a list of base64 texts. An answer is, by signature and output, the
array's type, shape and base64 bytes, or its base64 strings; an error is a
string. The last line printed is TensorFlow's version, in quotes.
"""

import base64
import json
import sys

import tensorflow as tf
import tensorflow_text  # noqa: F401  registers its ops


def main(directory, batches_file, answers_file):
    """Runs each signature on each batch."""
    with open(batches_file) as file:
        batches = [
            [base64.b64decode(text) for text in batch]
            for batch in json.load(file)
        ]
    answers = {}
    with tf.compat.v1.Session(graph=tf.Graph()) as session:
        model = tf.compat.v1.saved_model.load(session, ["serve"], directory)
        for name, signature in sorted(model.signature_def.items()):
            if name.startswith("__"):
                continue
            [(fed, info)] = signature.inputs.items()
            fetched = sorted(signature.outputs)
            call = session.make_callable(
                [signature.outputs[output].name for output in fetched],
                feed_list=[info.name],
            )
            answers[name] = []
            for batch in batches:
                if fed == "inputs":  # the Classify API's
                    batch = [example(text) for text in batch]
                try:
                    found = call(batch)
                except tf.errors.OpError as error:
                    answers[name].append(error.message)
                    continue
                answers[name].append(
                    {k: packed(v) for k, v in zip(fetched, found)}  # noqa: B905
                )
    with open(answers_file, "w") as file:
        json.dump(answers, file)
    print(json.dumps(tf.__version__))


def example(text):
    """Returns a serialized tf.Example of a text."""
    values = tf.train.BytesList(value=[text])
    features = {"text": tf.train.Feature(bytes_list=values)}
    return tf.train.Example(
        features=tf.train.Features(feature=features)
    ).SerializeToString()


def packed(array):
    """Returns an array as JSON has place for it."""
    found = {"dtype": str(array.dtype), "shape": list(array.shape)}
    if array.dtype == object:
        return dict(
            found,
            strings=[base64.b64encode(each).decode() for each in array.flat],
        )
    return dict(found, bytes=base64.b64encode(array.tobytes()).decode())


if __name__ == "__main__":
    main(*sys.argv[1:])
