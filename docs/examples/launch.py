"""Stands in for torchrun where there is no PyTorch: starts a script once for each of two GPUs."""

import os
import subprocess
import sys

ranks = [
    subprocess.Popen(  # noqa: S603 -- the command that was asked for
        [sys.executable, *sys.argv[1:]],
        env={**os.environ, "RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": "2"},
    )
    for rank in range(2)
]
sys.exit(max(rank.wait() for rank in ranks))
