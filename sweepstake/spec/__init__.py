"""Declarative specs of experiments, as AI2 Beaker has them.

Each name stands here with and without `Beaker` before it, so that code written for beaker-py changes its import.
"""

from sweepstake.errors import SpecError, SpecFault
from sweepstake.spec.constraints import Constraints
from sweepstake.spec.experiment import ExperimentSpec, RetrySpec, SpecVersion
from sweepstake.spec.parts import (
    DataMount,
    DataSource,
    EnvVar,
    ImageSource,
    MountMode,
    Priority,
    ResultSpec,
    TaskContext,
    TaskResources,
)
from sweepstake.spec.sweeps import SweepSpec
from sweepstake.spec.tasks import TaskSpec

BeakerConstraints = Constraints
BeakerDataMount = DataMount
BeakerDataSource = DataSource
BeakerEnvVar = EnvVar
BeakerExperimentSpec = ExperimentSpec
BeakerImageSource = ImageSource
BeakerJobPriority = Priority
BeakerMountMode = MountMode
BeakerResultSpec = ResultSpec
BeakerRetrySpec = RetrySpec
BeakerSpecVersion = SpecVersion
BeakerTaskContext = TaskContext
BeakerTaskResources = TaskResources
BeakerTaskSpec = TaskSpec

__all__ = [
    "BeakerConstraints",
    "BeakerDataMount",
    "BeakerDataSource",
    "BeakerEnvVar",
    "BeakerExperimentSpec",
    "BeakerImageSource",
    "BeakerJobPriority",
    "BeakerMountMode",
    "BeakerResultSpec",
    "BeakerRetrySpec",
    "BeakerSpecVersion",
    "BeakerTaskContext",
    "BeakerTaskResources",
    "BeakerTaskSpec",
    "Constraints",
    "DataMount",
    "DataSource",
    "EnvVar",
    "ExperimentSpec",
    "ImageSource",
    "MountMode",
    "Priority",
    "ResultSpec",
    "RetrySpec",
    "SpecError",
    "SpecFault",
    "SpecVersion",
    "SweepSpec",
    "TaskContext",
    "TaskResources",
    "TaskSpec",
]
