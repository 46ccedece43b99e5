"""Libraries that are loaded before the system's own, and let a disk fail or forget."""

import functools
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

__all__ = ["can_compile", "compiled"]

_SECONDS: Final = 60.0


def can_compile() -> bool:
    """Tell whether disks can be made to fail here; where all must be tried, they must."""
    can = sys.platform == "linux" and shutil.which("cc") is not None
    assert can or not os.environ.get("CI"), "a failing disk is made with a C compiler: install one"
    return can


@functools.cache
def compiled(name: str, folder: Path) -> Path:
    """Compile a source of this folder to a library in another one."""
    library = folder / f"{name}.so"
    source = Path(__file__).with_name(f"{name}.c")
    command = ["cc", "-shared", "-fPIC", "-pthread", "-o", str(library), str(source), "-ldl"]
    subprocess.run(command, check=True, timeout=_SECONDS)
    return library
