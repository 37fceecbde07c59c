create table rescind.service (
    one boolean primary key default true check (one),
    founding json,
    era bigint not null default 0,
    keys bigint not null default 0,
    head bigint not null default 0
);
insert into rescind.service default values;

-- One row a shard, so that sign-ins do not wait for each other; the devices of an era go out of the count with it.
create table rescind.totals (
    era bigint not null,
    shard integer not null,
    users bigint not null,
    live_devices bigint not null,
    primary key (era, shard)
);

-- Room on each page lets a changed row stay on it, so that no index is written.
create table rescind.users (
    id uuid primary key,
    name text collate "C" not null unique,
    doc json not null
) with (fillfactor = 80);

create table rescind.devices (
    user_id uuid not null,
    id uuid not null,
    era bigint not null,
    generation bigint not null,
    ended boolean not null,
    doc json not null,
    primary key (user_id, id)
) with (fillfactor = 80);
create index devices_standing on rescind.devices (user_id, era, generation, id) where not ended;

create table rescind.last_seen (
    user_id uuid not null,
    id uuid not null,
    doc json not null,
    primary key (user_id, id)
) with (fillfactor = 80);

create table rescind.looks (
    at bigint not null,
    user_id uuid not null,
    era bigint not null,
    generation bigint not null,
    device_id uuid not null,
    primary key (at, user_id, era, generation, device_id)
);

create table rescind.log (
    position bigint primary key,
    at bigint not null,
    revocation json not null
);

create table rescind.keys (
    kid text collate "C" primary key,
    doc json not null
);

create table rescind.service_keys (
    id uuid primary key,
    doc json not null
);
