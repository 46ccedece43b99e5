"""Print the lowest versions that setup.cfg allows, as constraints for pip: one requirement a line.

Only what people install counts: the base and the extras that are named on the command line. Where two extras name the
same package, the higher of the two bounds is the lowest that both allow.
"""

import re
import sys
from configparser import ConfigParser


def lowest(requirements: str) -> dict[str, tuple[int, ...]]:
    """Return the lower bound of each requirement in a list of setup.cfg."""
    found = {}
    for line in requirements.splitlines():
        if match := re.match(r"([A-Za-z0-9_.-]+)(?:\[[^\]]*\])?\s*>=\s*([0-9.]+)", line.strip()):
            found[match[1]] = tuple(map(int, match[2].split(".")))
    return found


def main(extras: list[str]) -> None:
    """Read setup.cfg in the working folder, and print a constraint for each package that has a bound."""
    settings = ConfigParser()
    settings.read("setup.cfg", encoding="utf-8")
    bounds = lowest(settings["options"]["install_requires"])
    for extra in extras:
        for name, bound in lowest(settings["options.extras_require"][extra]).items():
            bounds[name] = max(bound, bounds.get(name, bound))
    if not bounds:
        sys.exit("setup.cfg has no lower bounds")
    for name, bound in sorted(bounds.items()):
        print(f"{name}=={'.'.join(map(str, bound))}")


if __name__ == "__main__":
    main(sys.argv[1:])
