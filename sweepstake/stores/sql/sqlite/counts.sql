-- fold_counts: nothing to do: an experiment has one row of counts.
select 1;

-- delete_counts: the counts of an experiment that goes.
delete from counts where experiment_id = :experiment_id;
