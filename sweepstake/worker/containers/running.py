"""Runs in containers of one engine."""

from __future__ import annotations

import math
import os
import time
from pathlib import Path
from typing import Final

from attrs import define, evolve, field

from sweepstake.folders import new_file
from sweepstake.worker.containers.arguments import Engine, EngineKind, remove_call, run_call
from sweepstake.worker.containers.engines import silence
from sweepstake.worker.containers.leftovers import LABEL, end_leftovers
from sweepstake.worker.containers.pulling import get_image
from sweepstake.worker.judgement import describe
from sweepstake.worker.leftovers.living import Living
from sweepstake.worker.tasks.run import TaskRun
from sweepstake.worker.work import Launch, Preliminaries

__all__ = ["Containers"]

#: Seconds for which an image that was there is taken to be there still.
_IMAGE_STAYS: Final = 10.0
#: The exit code by which an engine says that it failed itself. A command may end with it as well.
_ENGINE_FAILED: Final = 125


@define(kw_only=True, eq=False)
class Containers:
    """A worker's containers; it is the `Runner` of tasks that have an image.

    Attributes:
        engine: which one runs them.
        living: the sign that this worker lives.
        locks: the folder of locks of this user on this host.
    """

    engine: Engine
    living: Living
    locks: Path
    #: For each image when it was last known to be there, and what the engine knows it by.
    _images: dict[str, tuple[float, str]] = field(factory=dict, init=False)

    def end_leftovers(self) -> list[str]:
        """End the containers that dead workers left; return their names."""
        return end_leftovers(self.engine, self.living)

    def __call__(self, run: TaskRun, launch: Launch, before: Preliminaries) -> Launch:
        """Return what starts a run in a container, once its image is there."""
        assert run.image is not None
        run = evolve(run, image=self._image(run.image, before))
        for mount in run.mounts:
            mount.check()  # an image takes its time, in which tasks may write that have the same folders
        file = launch.results.parent.parent / "variables"
        call = run_call(self.engine, run, {LABEL: str(self.living)}, file)
        if call.file:
            with new_file(file) as writer:
                writer.write(call.file.encode())
        ending = remove_call(self.engine, run.name)
        return evolve(
            launch,
            arguments=call.arguments,
            environment={**os.environ, **call.environment},
            ending=ending.arguments if ending is not None else (),
            failed=self._failed,
        )

    def _failed(self, code: int) -> str:
        """Say how the engine failed, if an exit code shows that; see `Launch.failed`.

        What a signal ends in a container has a positive code, but for apptainer, which has no client beside it.
        """
        if self.engine.kind is EngineKind.APPTAINER:
            return ""
        problem = describe(code) if code < 0 else silence(self.engine) if code == _ENGINE_FAILED else ""
        if not problem:
            return ""
        self._images.clear()  # whoever runs something next asks the engine first
        return f"{self.engine.kind} failed while it ran: {problem}"

    def _image(self, image: str, before: Preliminaries) -> str:
        """Return what the engine knows an image by, once it is there; to ask costs a good part of a short run."""
        looked, known_as = self._images.get(image, (-math.inf, ""))
        now = time.monotonic()
        if now - looked > _IMAGE_STAYS:
            known_as = get_image(self.engine, image, self.locks, before)
            self._images[image] = time.monotonic(), known_as
        return known_as
