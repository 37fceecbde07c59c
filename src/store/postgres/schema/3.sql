-- A token of ours proved that the store went back in time: no node answers checks until it is told that it was restored.
alter table rescind.service add column rolled_back boolean not null default false;
