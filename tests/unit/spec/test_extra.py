"""Without PyYAML everything works but reading a file."""

import subprocess
import sys
from pathlib import Path

WITHOUT = """
import sys

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "yaml":
            raise ImportError("no yaml here")

sys.meta_path.insert(0, Missing())

import sweepstake
from sweepstake.errors import MissingExtraError
from sweepstake.spec import ExperimentSpec

spec = ExperimentSpec.new("b", docker_image="alpine", command=["x", 1])
assert ExperimentSpec.from_json(spec.to_json()) == spec
spec.validate()
spec.to_file(sys.argv[1])
try:
    ExperimentSpec.from_file(sys.argv[1])
except MissingExtraError as error:
    print(error)
"""


def test_only_reading_a_file_needs_pyyaml(tmp_path: Path) -> None:
    """Its absence is an error that names the extra."""
    run = subprocess.run(
        [sys.executable, "-c", WITHOUT, tmp_path / "spec.yaml"], capture_output=True, text=True, check=True, timeout=60
    )
    assert run.stdout == "reading a spec needs PyYAML. In your clone of Sweepstake: pip install '.[spec]'\n"
    assert (tmp_path / "spec.yaml").read_text().startswith("version: v2\n")


def test_importing_specs_loads_no_yaml() -> None:
    """Nor does the command line, until it reads a file."""
    code = "import sys, sweepstake.spec, sweepstake.cli.main; print('yaml' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert run.stdout == "False\n"
