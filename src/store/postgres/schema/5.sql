-- The version of the tables, beside the counters, which every node reads with whatever it does: so a node that is older
-- notices that a newer one has changed the tables while it ran.
alter table rescind.service add column tables integer not null default 5;
