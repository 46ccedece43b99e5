-- Ends that holders stated by a put are told apart from reports. Of those before, the store does not know whose they are.
update attempts set reason = 'stated by a put'
where lease is not null and outcome in ('done', 'crashed') and finish_key is null and reason = '';
