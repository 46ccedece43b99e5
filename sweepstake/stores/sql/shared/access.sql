-- standing: the version of an experiment, whose it is, and what is shared of it with a user.
select e.etag, e.owner, (select s.role from shares s where s.experiment_id = e.id and s.email = :email)
from experiments e where e.name = :name;

-- whose: an experiment's number and owner.
select id, owner from experiments where name = :name;

-- shares: who else may do what with an experiment.
select email, role from shares where experiment_id = :experiment_id order by email;

-- share: what a user may do with somebody else's experiment.
insert into shares (experiment_id, email, role)
select :experiment_id, email, :role from accounts where email = :email
on conflict (experiment_id, email) do update set role = excluded.role;

-- unshare: a user may do nothing more with an experiment.
delete from shares where experiment_id = :experiment_id and email = :email;

-- unshare_all: an experiment that goes leaves no shares.
delete from shares where experiment_id = :experiment_id;

-- unshare_user: a user who goes has no shares.
delete from shares where email = :email;

-- give_experiment: an experiment is somebody's, or everybody's.
update experiments set owner = :owner where id = :experiment_id;

-- owned: an experiment of a user.
select name from experiments where owner = :email order by id limit 1;

-- bequeath: the experiments of one user become those of another.
update experiments set owner = :heir where owner = :email;

-- begin_tries: a place to count the tries of a subject.
insert into tries (subject, tries, free_at, last_at) values (:subject, 0, 0, :now) on conflict (subject) do nothing;

-- count_try: one more try of a subject.
update tries set tries = :tries, free_at = :free_at, last_at = :now where subject = :subject;

-- forget_tries: a try was not in vain.
delete from tries where subject = :subject;

-- ease_tries: one try fewer of a subject, and no wait because of it.
update tries set tries = tries - 1, free_at = 0 where subject = :subject and tries > 0;

-- forget_old_tries: tries of a while ago count no more.
delete from tries where last_at < :before;
