-- standing: an experiment by its address, and what is shared of it with a user.
select e.name, coalesce(e.label, e.name), e.owner, e.etag, (select s.role from shares s where s.experiment_id = e.id and s.email = :email)
from experiments e where e.name = :name;

-- standings: the experiments of one name that a viewer may see, and what is shared of them with the viewer.
select
    e.name, coalesce(e.label, e.name), e.owner, e.etag,
    (select s.role from shares s where s.experiment_id = e.id and s.email = :viewer)
from experiments e
where coalesce(e.label, e.name) = :called and (
    cast(:viewer as text) is null or e.owner is null or e.owner = :viewer
    or exists (select 1 from shares s where s.experiment_id = e.id and s.email = :viewer)
);

-- whose: an experiment's number, its owner and what it is called.
select id, owner, coalesce(label, name) from experiments where name = :name;

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
select coalesce(label, name) from experiments where owner = :email order by id limit 1;

-- owned_by_both: a name that experiments of both of two users have.
select coalesce(e.label, e.name) from experiments e
where e.owner = :email and exists (
    select 1 from experiments h where coalesce(h.label, h.name) = coalesce(e.label, e.name) and h.owner = :heir
)
order by e.id limit 1;

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

-- forget_old_tries: tries of a while ago count no more, nor those that a clock that was set back has put ahead.
delete from tries where last_at < :before or last_at > :after;

-- tries_of: how often a subject was tried in vain, and from when it may be tried again.
select tries, free_at from tries where subject = :subject;
