-- known_attempts: those of these op keys that attempts have.
select key from attempts where key = any (array(select json_array_elements_text(cast(:keys as json))));
