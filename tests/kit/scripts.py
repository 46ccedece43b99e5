"""Python scripts in processes of their own."""

import os
import subprocess
import sys

from tests.kit.checkout import ROOT

__all__ = ["run_script"]


def run_script(
    script: str, *arguments: str, seconds: float = 60.0, **environment: str
) -> "subprocess.CompletedProcess[str]":
    """Run a script to its end, and return its exit code and what it said; it may fork while it has threads."""
    return subprocess.run(
        [sys.executable, "-W", "ignore:This process:DeprecationWarning", "-c", script, *arguments],
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
        cwd=ROOT,
        env={**os.environ, **environment},
    )
