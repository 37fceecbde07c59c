-- The id that a user has in another system; most users of most stores have none.
alter table rescind.users add column external_id text collate "C";
create unique index users_external_id on rescind.users (external_id) where external_id is not null;
