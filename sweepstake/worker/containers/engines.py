"""Which container engine this machine has."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from attrs import frozen

from sweepstake.errors import ConfigurationError
from sweepstake.worker.containers.arguments import Call, Engine, EngineKind

__all__ = ["ContainerSettings", "answer", "find_engine", "read_container_settings", "silence"]

#: Seconds that an engine may take to tell about itself, to look for an image, or to remove a container.
_PATIENCE: Final = 60.0
#: Where podman's first process for containers lies.
_INITS: Final = ("/usr/libexec/podman/catatonit", "/usr/lib/podman/catatonit", "/usr/bin/catatonit")
_KEYS: Final = ("engine", "global_args", "run_args")


@frozen(kw_only=True)
class ContainerSettings:
    """What a configuration says of containers.

    Attributes:
        engine: which one; None for the first that answers.
        global_args: stand before its verb.
        run_args: stand before the image.
    """

    engine: EngineKind | None = None
    global_args: tuple[str, ...] = ()
    run_args: tuple[str, ...] = ()


def read_container_settings(table: Any, where: str) -> ContainerSettings:
    """Return what the table ``[container]`` of a configuration says.

    Args:
        table: None if there is none.
        where: what the configuration is called in errors.

    Raises:
        ConfigurationError: names what is wrong.
    """
    if table is None:
        return ContainerSettings()
    if not isinstance(table, dict):
        raise ConfigurationError(f"{where}: container: must be a table")
    for key in table:
        if key not in _KEYS:
            raise ConfigurationError(f"{where}: container.{key}: is not a setting; there are {', '.join(_KEYS)}")
    engine = table.get("engine")
    if engine is not None and engine not in tuple(EngineKind):
        raise ConfigurationError(f"{where}: container.engine: must be one of {', '.join(EngineKind)}")
    return ContainerSettings(
        engine=None if engine is None else EngineKind(engine),
        global_args=_texts(table.get("global_args", []), f"{where}: container.global_args"),
        run_args=_texts(table.get("run_args", []), f"{where}: container.run_args"),
    )


def find_engine(settings: ContainerSettings, images: Path, which: Callable[[str], str | None] = shutil.which) -> Engine:
    """Return the first engine that is installed and answers: a client without its daemon does not.

    Args:
        settings: may name the one that is meant.
        images: a folder for those that keep images in files.
        which: finds a program.

    Raises:
        ConfigurationError: there is none; says of each that was asked what it answered.
    """
    problems: list[str] = []
    for kind in [settings.engine] if settings.engine is not None else EngineKind:
        program = which(kind)
        if program is None:
            problems.append(f"{kind} is not installed")
            continue
        engine = Engine(
            kind=kind,
            program=program,
            global_args=settings.global_args,
            run_args=settings.run_args,
            images=images,
            init=kind is EngineKind.DOCKER or (kind is EngineKind.PODMAN and any(map(_exists, _INITS))),
            amd=_exists("/dev/kfd") and not _exists("/dev/nvidiactl"),
        )
        problem = silence(engine)
        if not problem:
            return engine
        problems.append(problem)
    raise ConfigurationError(f"no container engine works here: {'; '.join(problems)}; or use --no-container")


def silence(engine: Engine) -> str:
    """Say how an engine does not answer, as a client without its daemon does not; nothing if it does."""
    asked = "version" if engine.kind is EngineKind.APPTAINER else "info"
    answered = answer(Call(arguments=[engine.program, *engine.global_args, asked]))
    return "" if answered.returncode == 0 else f"{engine.kind} does not answer: {_last_line(answered.stderr)}"


def answer(call: Call) -> subprocess.CompletedProcess[str]:
    """Let an engine do something short, and return what it said."""
    try:
        return subprocess.run(
            call.arguments,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_PATIENCE,
            encoding="utf-8",
            errors="replace",
            check=False,
        )
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(call.arguments, 1, "", f"no answer within {_PATIENCE:g} s")
    except OSError as error:
        return subprocess.CompletedProcess(call.arguments, 1, "", error.strerror or str(error))


def _texts(value: Any, where: str) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise ConfigurationError(f"{where}: must be a list of texts")
    return tuple(value)


def _exists(path: str) -> bool:
    return Path(path).exists()


def _last_line(text: str) -> str:
    lines: Sequence[str] = text.strip().splitlines() or ["it said nothing"]
    return lines[-1][:300]
