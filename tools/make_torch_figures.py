"""Writes what torch's schedulers give, for the tests to hold ours against.

Run it when a case is added, in an environment of its own that has torch (this
project doesn't need it):

    python tools/make_torch_figures.py tests/schedules_of_torch.json

Each case is a scheduler's class, its arguments, and the learning rate and
momentum of each step.
"""

import json
import pathlib
import sys

import torch

CASES = [
    ("OneCycleLR", {"max_lr": 0.1, "total_steps": 20}),
    ("OneCycleLR", {"max_lr": 3e-5, "total_steps": 47, "pct_start": 0.25}),
    (
        "OneCycleLR",
        {
            "max_lr": 1.0,
            "total_steps": 31,
            "anneal_strategy": "linear",
            "div_factor": 10.0,
            "final_div_factor": 100.0,
            "base_momentum": 0.8,
            "max_momentum": 0.9,
        },
    ),
    (
        "OneCycleLR",
        {"max_lr": 0.5, "total_steps": 40, "three_phase": True},
    ),
    (
        "OneCycleLR",
        {
            "max_lr": 0.5,
            "total_steps": 33,
            "three_phase": True,
            "pct_start": 0.4,
            "anneal_strategy": "linear",
        },
    ),
    ("CosineAnnealingWarmRestarts", {"T_0": 5}),
    ("CosineAnnealingWarmRestarts", {"T_0": 4, "T_mult": 2, "eta_min": 0.001}),
    ("CosineAnnealingWarmRestarts", {"T_0": 3, "T_mult": 3}),
    ("CyclicLR", {"base_lr": 0.01, "max_lr": 0.1, "step_size_up": 5}),
    (
        "CyclicLR",
        {
            "base_lr": 0.01,
            "max_lr": 0.1,
            "step_size_up": 4,
            "mode": "triangular2",
            "base_momentum": 0.85,
            "max_momentum": 0.95,
        },
    ),
]


def figures(name: str, arguments: dict[str, object]) -> dict[str, object]:
    """Returns the learning rates and momenta of a scheduler's steps.

    Args:
        name: The class, in `torch.optim.lr_scheduler`.
        arguments: Its arguments beside the optimizer.
    """
    parameter = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([parameter], lr=0.1, momentum=0.9)
    scheduler = getattr(torch.optim.lr_scheduler, name)(optimizer, **arguments)
    steps = int(arguments.get("total_steps", 30))
    learning_rates, momenta = [], []
    for step in range(steps):
        group = optimizer.param_groups[0]
        learning_rates.append(float(group["lr"]))
        momenta.append(float(group["momentum"]))
        optimizer.step()
        if step < steps - 1:
            scheduler.step()
    return {
        "scheduler": name,
        "arguments": arguments,
        "learning_rates": learning_rates,
        "momenta": momenta,
    }


def main(path: str) -> None:
    """Writes the file."""
    maker = f"tools/make_torch_figures.py with torch {torch.__version__}"
    content = {
        "made_by": maker,
        "cases": [figures(name, arguments) for name, arguments in CASES],
    }
    text = json.dumps(content, indent=1) + "\n"
    pathlib.Path(path).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1])
