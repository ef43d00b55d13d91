-- What every room keeps, in a schema of its own: states, the place in each log partition, events to be proposed.
-- All of it can be thrown away and is folded again from the logs (design principle 1).

create table if not exists state (
    key     text primary key,
    state   jsonb not null,
    due_at  bigint                      -- ms since 1970: when the state wants a tick
);
create index if not exists state_due on state (due_at) where due_at is not null;

create table if not exists position (
    topic           text not null,
    partition       integer not null,
    next_seq        bigint not null,    -- the entry that comes next
    next_offset     bigint not null,    -- where in the topic it is looked for
    admitted_ms     bigint not null,    -- admission time of the last entry folded
    primary key (topic, partition)
);

create table if not exists outbox (
    n             bigserial primary key,
    topic         text not null,
    key           bytea not null,
    headers       jsonb not null,       -- [[name, text], ...] in order
    value         bytea not null,
    created_at    timestamptz not null default now(),
    published_at  timestamptz
);
create index if not exists outbox_pending on outbox (n) where published_at is null;
create index if not exists outbox_published on outbox (published_at) where published_at is not null;
