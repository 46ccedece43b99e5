"""Go down a parabola, in steps of a length that is given."""

import argparse
from pathlib import Path

import sweepstake

parser = argparse.ArgumentParser()
parser.add_argument("--step", type=float)
parser.add_argument("start", type=Path)
arguments = parser.parse_args()

x = float(arguments.start.read_text())
for _ in range(5):
    x -= arguments.step * 2 * x

sweepstake.current_job().results["loss"] = round(x**2, 4)
