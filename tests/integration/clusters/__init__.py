"""Batches on real clusters: a Slurm of two nodes on this machine, and this machine itself.

What a real Slurm does that one would not expect, and the tests of it here (`unit`: in
tests/unit/batch/backends/test_slurm):

- A slurmctld that was killed forgets ids and gives their numbers out again; an id counts only with its name:
  test_killed_controllers `a_number_that_was_given_out_again_is_anothers`, test_slurm
  `a_controller_that_was_killed_is_believed_by_names_alone` and `a_cancelled_allocation_ends`.
- It brings a COMPLETED allocation back as PENDING, and says for minutes that one is RUNNING which has ended:
  test_killed_controllers `what_comes_back_as_pending_runs_nothing` and `one_that_stays_running_does_not_count`
  (with `-m full`), in which `keep` runs while it is killed.
- A submitter may die at any moment: test_killed_submitters, test_submitting; an answer may be lost: test_submitting
  `a_submission_whose_answer_was_lost_is_found`, unit `a_lost_answer_is_no_refusal`.
- A second allocation of a batch ends at once: test_worker `a_batch_runs_in_one_allocation`.
- scancel signals every process at once: test_worker `what_is_cancelled_is_given_back`, and on several nodes
  `the_nodes_of_an_allocation_share_a_batch`.
- A script that waits for its worker would lose the grace: test_slurm `an_array_runs_each_command_...`.
- `--signal` needs `B:`, and comes up to a minute early: unit `a_script_asks_for_what_a_batch_needs`; allocations of a
  minute hear it when they begin, as all in test_worker do.
- A node that goes down starts its allocations again unless it is told not to: test_killed_controllers
  `a_node_that_goes_down_gives_its_jobs_to_the_next_submission`.
- `afterok` waits for ever for what was killed: test_slurm `a_chain_goes_on_whatever_became_of_the_one_before`.
- What it refuses, and what stays PENDING for ever: test_slurm `what_slurm_refuses_is_told_in_its_words`,
  test_batch_commands `batches_are_submitted_looked_at_and_cancelled` (hopeless), unit.
- Ids that were requeued, an array's `_4294967294`, "Invalid job id" and no answer: unit.
"""
