"""Train for some epochs, and go on from the last checkpoint where an earlier attempt had to stop."""

import argparse
import json
import os
from pathlib import Path

import sweepstake

parser = argparse.ArgumentParser()
parser.add_argument("--rate", type=float)
parser.add_argument("--width", type=int)
parser.add_argument("--epochs", type=int, default=20)
arguments = parser.parse_args()

checkpoint = Path(os.environ["SWEEPSTAKE_CHECKPOINT_DIR"], "checkpoint.json")
epoch, weight = json.loads(checkpoint.read_text()) if checkpoint.exists() else (0, 0.0)
while epoch < arguments.epochs:
    weight += arguments.rate * (1 - weight)
    epoch += 1
    draft = checkpoint.with_suffix(".draft")
    draft.write_text(json.dumps([epoch, weight]))
    draft.replace(checkpoint)  # whole, or as it was

sweepstake.current_job().results["accuracy"] = round(weight - 1 / arguments.width, 4)
