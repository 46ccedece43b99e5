"""Trains on several GPUs: torchrun starts it once for each, and every one of them gets the same job."""

import os

import sweepstake

experiment = sweepstake.connect().get_experiment(os.environ["SWEEPSTAKE_EXPERIMENT"])

with experiment.next_job() as job:
    rank, size = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    print(f"rank {rank} of {size} trains with {job.hyperparameters}")
    # torch.distributed.init_process_group("nccl") and the training come here.
    job.results["accuracy"] = 0.9
