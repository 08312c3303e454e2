"""Makes kerassent/saved_model/serving_ops.txt: what TensorFlow Serving can run.

Run it when a release of TensorFlow Serving comes out, and read the diff:

    python tools/record_ops.py kerassent/saved_model/serving_ops.txt --cache DIR

It asks TensorFlow of the same minor version which ops it has with a kernel for
the CPU, which attributes they take and which types their kernels; and the
TensorFlow Text that this Serving links for its ops. Both are installed from the
package index into `DIR`, about 13 GB, which a second run uses again. The last
line it prints is a JSON object: how many ops each version can run.
"""

import argparse
import base64
import json
import pathlib
import sys
from collections import defaultdict
from typing import Any, NamedTuple

import tf_releases
from tensorflow.core.framework import (
    kernel_def_pb2,
    op_def_pb2,
    types_pb2,
)

# TensorFlow Serving's version, its TensorFlow, and the release in which to ask
# for the ops of the TensorFlow Text that it links, by its `workspace.bzl`:
# Text 2.12.1, 2.20.0 and the branch 2.21, whose wheel is 2.21.1.
SERVINGS = {
    "2.16": ("2.16.1", "2.12.1"),
    "2.17": ("2.17.0", "2.12.1"),
    "2.18": ("2.18.0", "2.12.1"),
    "2.19": ("2.19.0", "2.12.1"),
    "2.20": ("2.20.0", "2.20.0"),
    "2.21": ("2.21.0", "2.21.0"),
}

# In 2.20, Text's link to the ICU data that these need moved into a BUILD file
# that Serving replaces by its own: they are there, and fail when they run.
NO_ICU_DATA_SINCE = "2.20"
CASE_FOLD = "CaseFoldUTF8"
NORMALIZE = ("NormalizeUTF8", "NormalizeUTF8WithOffsetsMap")
FORMS = {"NFC", "NFD"}
FORMS_WITH_DATA = {"NFKC", "NFKD"}

# XLA's are refused for being XLA's, oneDNN's are only in some builds.
LEFT_OUT = ("Xla", "_Xla", "_Mkl")

HEADER = """\
# What TensorFlow Serving can run on a CPU, version by version, measured by
# tools/record_ops.py, which also says why. Do not edit.
#
# 2.16 has all its ops with their attributes; each other version what it has
# more than the one before and, after a minus, what it lacks of it:
#
#     Op attribute ...      an op, or a known op's new attributes
#     Op attribute=VALUE    a value that a known attribute takes from here on
#     Op -attribute  -Op    no more
#
# Sources: the ops with a CPU kernel in the wheels of
#
{sources}
#
# TensorFlow Serving's `workspace.bzl` says which TensorFlow Text it links; of
# 2.21 that is a branch. CaseFoldUTF8 and the forms NFKC and NFKD need data of
# ICU that Serving links no more since 2.20: third_party/icu/BUILD.bzl of
# TensorFlow Text 2.20.0 against third_party/icu/BUILD of TensorFlow Serving.
# Not listed, and hence refused: ops of XLA and of oneDNN alone, and
# TensorFlow Decision Forests', which Serving links as well.
"""

# What runs in the releases: nothing of kerassent.
PROGRAM = """
import base64, importlib.util, json
import tensorflow
from tensorflow.python.client import pywrap_tf_session as c_api
from tensorflow.python.framework import kernels

found = [c_api.TF_GetBuffer(c_api.TF_GetAllOpList())]
if importlib.util.find_spec("tensorflow_text"):
    import tensorflow_text
found += [c_api.TF_GetBuffer(c_api.TF_GetAllOpList())]
found += [kernels.get_all_registered_kernels().SerializeToString()]
print(json.dumps([base64.b64encode(each).decode() for each in found]))
"""


class Attribute(NamedTuple):
    """What an op takes: its default, and all values unless it is any."""

    default: str
    values: frozenset[str] | None


Op = dict[str, Attribute]


def main() -> None:
    """Parses the command line and does it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("output", type=pathlib.Path)
    parser.add_argument("--cache", type=pathlib.Path, required=True)
    options = parser.parse_args()
    needed = {release for pair in SERVINGS.values() for release in pair}
    found = {
        release: registered(
            tf_releases.run(
                tf_releases.environment(options.cache, release), PROGRAM
            )
        )
        for release in sorted(needed)
    }
    versions = {
        version: found[tensorflow][0] | found[text][1]
        for version, (tensorflow, text) in SERVINGS.items()
    }
    apply_icu_trap(versions)
    sections, before = [], {}
    for version, ops in versions.items():
        sections.append(f"\n[{version}]\n" + "".join(changes(before, ops)))
        before = ops
    header = HEADER.format(sources="\n".join(map(source, SERVINGS)))
    options.output.write_text(
        header + "".join(sections), encoding="ascii", newline="\n"
    )
    print(json.dumps({version: len(ops) for version, ops in versions.items()}))


def source(version: str) -> str:
    """Returns the header's line on a version."""
    tensorflow, text = SERVINGS[version]
    return (
        f"#     {version}: {tf_releases.RELEASES[tensorflow][0]}, "
        + (tf_releases.RELEASES[text][1])
    )


def registered(answer: list[str]) -> tuple[dict[str, Op], dict[str, Op]]:
    """Returns the ops of TensorFlow, and those of TensorFlow Text."""
    core, both, kernels = map(base64.b64decode, answer)
    kernel_list = kernel_def_pb2.KernelList.FromString(kernels)
    on_cpu = defaultdict(list)
    for kernel in kernel_list.kernel:
        if kernel.device_type in ("CPU", "DEFAULT"):
            on_cpu[kernel.op].append(kernel)
    ops, core_ops = (
        {
            op.name: {
                attr.name: Attribute(
                    default(attr), values(attr, on_cpu[op.name])
                )
                for attr in op.attr
            }
            for op in op_def_pb2.OpList.FromString(each).op
            if op.name in on_cpu and not op.name.startswith(LEFT_OUT)
        }
        for each in (both, core)
    )
    return core_ops, {n: op for n, op in ops.items() if n not in core_ops}


def default(attr: Any) -> str:
    """Returns what the attribute is if nothing is said."""
    value = attr.default_value
    if value.WhichOneof("value") == "type":
        return str(types_pb2.DataType.Name(value.type))
    if value.WhichOneof("value") == "s":
        return value.s.decode("latin-1")
    return str(value)


def values(attr: Any, kernels: list[Any]) -> frozenset[str] | None:
    """Returns the types that the op allows and some kernel takes."""
    if attr.type not in ("type", "list(type)"):
        return None
    limits = []
    if attr.HasField("allowed_values"):
        limits.append(set(attr.allowed_values.list.type))
    constraints = [
        [
            c.allowed_values.list.type
            for c in k.constraint
            if c.name == attr.name
        ]
        for k in kernels
    ]
    if all(constraints):
        limits.append({t for found in constraints for ts in found for t in ts})
    if not limits:
        return None
    return frozenset(
        types_pb2.DataType.Name(t) for t in set.intersection(*limits)
    )


def apply_icu_trap(versions: dict[str, dict[str, Op]]) -> None:
    """Takes away what lacks its data when it runs."""
    traps = False
    for version, ops in versions.items():
        traps = traps or version == NO_ICU_DATA_SINCE
        if traps:
            del ops[CASE_FOLD]
        forms = frozenset(FORMS if traps else FORMS | FORMS_WITH_DATA)
        for name in NORMALIZE:
            form = ops[name]["normalization_form"]._replace(values=forms)
            ops[name] = {**ops[name], "normalization_form": form}


def changes(before: dict[str, Op], after: dict[str, Op]) -> list[str]:
    """Returns the lines that make one version's ops from another's."""
    lines = [f"-{name}\n" for name in sorted(before.keys() - after)]
    for name, op in sorted(after.items()):
        if name not in before:
            lines.append(" ".join([name, *sorted(op)]) + "\n")
            continue
        known = before[name]
        words = sorted(op.keys() - known)
        words += [f"-{attr}" for attr in sorted(known.keys() - op)]
        for attr in sorted(op.keys() & known):
            words += value_changes(attr, known[attr], op[attr])
        if words:
            lines.append(" ".join([name, *words]) + "\n")
    return lines


def value_changes(attr: str, was: Attribute, now: Attribute) -> list[str]:
    """Returns the words for the values that one version takes, or lacks."""
    if was == now:
        return []
    # A SavedModel leaves out what is at its default, so that has to stay.
    if (
        was.default != now.default
        or was.values is None
        or now.values is None
        or now.default in was.values ^ now.values
    ):
        sys.exit(f"No line says this of {attr!r}: it was {was}, and is {now}.")
    return [
        *(f"{attr}={value}" for value in sorted(now.values - was.values)),
        *(f"-{attr}={value}" for value in sorted(was.values - now.values)),
    ]


if __name__ == "__main__":
    main()
