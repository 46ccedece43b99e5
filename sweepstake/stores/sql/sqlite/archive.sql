-- known_attempts: those of these op keys that attempts have.
select key from attempts where key in (select value from json_each(:keys));
