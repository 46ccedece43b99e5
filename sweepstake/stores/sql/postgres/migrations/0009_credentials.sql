-- What an API token was made with, and a store that signs nothing.

-- made_with: the digest of another API token, or `password:` and a print of the user's password; the token ends with it.
-- null: the operator made it, or it is older than this column.
alter table api_tokens add column made_with text collate "C";

create index api_tokens_made_with on api_tokens (made_with);

-- The key that signs is kept beside the store now. Copies of the store may hold this one, so that it is worth nothing.
delete from meta where name = 'signing_key';

-- Their subjects were made unreadable with that key.
delete from tries;
