-- `copying`: the store that an unfinished copy here is of. `moved`: where the store that was here is now, and as what it
-- was founded. Neither is a store: it has no founding, so a node that did not hear of it serves nothing and founds nothing.
alter table rescind.service
    add column copying uuid,
    add column moved json,
    add constraint a_store check (founding is null or (copying is null and moved is null));
