-- What admission decided on each event, by source: a view of the outcome records in the inboxes, so that the status of a
-- refused event, which is in no log, outlives a restart. Can be thrown away and is read again from Kafka.

create schema if not exists gateway;

create table if not exists gateway.outcomes (
    source      text not null,
    event       text not null,
    statement   text,                   -- sha256:<hex> of the statement that was judged
    outcome     text not null,          -- admitted | duplicate | refused | conflict
    code        text,
    field       text,
    message_zh  text,
    message_en  text,
    log         text,
    seq         bigint,
    at_ms       bigint not null,        -- when admission wrote it
    primary key (source, event)
);
create index if not exists outcomes_age on gateway.outcomes (at_ms);

create table if not exists gateway.position (
    topic        text primary key,      -- an inbox
    next_offset  bigint not null
);
