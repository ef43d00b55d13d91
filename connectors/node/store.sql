create table if not exists about (name text primary key, value text not null) without rowid;

-- where reading goes on: inbox/<participant>, pull/<connector>
create table if not exists cursors (name text primary key, value text not null) without rowid;

-- the next number by participant and log partition (copies) or .in partition (outcome records)
create table if not exists numbers (
  participant text not null,
  log         text not null,
  next        integer not null,
  primary key (participant, log)
) without rowid;

-- what a city's system told, once for each of its own ids; the event id is made here, with the cursor
create table if not exists happenings (
  connector text not null,
  item      text not null,
  digest    blob not null,
  state     text not null check (state in ('taken', 'ignored', 'dead')),
  event     text,
  at_ms     integer not null,
  primary key (connector, item)
) without rowid;

-- what goes to the exchange: events of the city and receipts of the node, signed, in the order in which they were made
create table if not exists outbox (
  n           integer primary key autoincrement,
  id          text not null unique,
  participant text not null,
  kind        text not null check (kind in ('event', 'receipt')),
  type        text not null,
  subject     text not null,
  cause       text not null,
  statement   text not null,                 -- sha256:<hex> of the statement, as an outcome names it
  document    blob not null,                 -- structured CloudEvent
  trace       text,
  connector   text,
  item        text,
  made_ms     integer not null,
  state       text not null default 'new' check (state in ('new', 'sent', 'admitted', 'refused')),
  attempts    integer not null default 0,
  sent_ms     integer,
  log         text,
  seq         integer,
  code        text,
  field       text,
  message_zh  text,
  message_en  text
);
create index if not exists outbox_state on outbox (participant, state, n);
create index if not exists outbox_made on outbox (state, made_ms);
create index if not exists outbox_sent on outbox (state, sent_ms) where state = 'sent';

-- how far an event of ours has come with each of its recipients, by their receipts
create table if not exists progress (
  event     text not null,
  recipient text not null,
  step      text not null,
  at_ms     integer not null,
  detail    text,
  primary key (event, recipient, step)
) without rowid;

-- copies that came and verified, and notices of the node to its city; state is flat
create table if not exists deliveries (
  n           integer primary key autoincrement,
  participant text not null,
  id          text not null,
  digest      blob not null,                 -- SHA-256 of the statement
  type        text not null,
  source      text not null,
  subject     text not null,
  agreement   text not null,
  cause       text not null,
  time_ms     integer not null,
  log         text not null,
  number      integer not null,
  seq         integer not null,
  admitted_ms integer not null,
  withheld    text not null,
  trace       text,
  receipted   integer not null,              -- 1 when the source gets receipts of it
  target      text,                          -- connector; null when nothing is pushed
  body        text,                          -- value as JSON; null once the city has it
  received_ms integer not null,
  limit_s     integer not null,
  due_ms      integer not null,
  state       text not null check (state in ('pending', 'committed', 'rejected', 'dead', 'kept')),
  attempts    integer not null default 0,
  since_ms    integer not null,              -- when trying began: reception, or the last redrive
  next_ms     integer not null default 0,
  fault       text,
  late        integer not null default 0,    -- 1 when the negative receipt of the time limit was signed
  reference   text,
  code        text,
  city_code   text,
  reason      text,
  ended_ms    integer,
  unique (participant, id)
);
create index if not exists deliveries_due on deliveries (target, next_ms, n) where state = 'pending';
create index if not exists deliveries_subject on deliveries (target, subject, n) where state = 'pending';
create index if not exists deliveries_limit on deliveries (due_ms) where state = 'pending' and late = 0;
create index if not exists deliveries_of_subject on deliveries (participant, subject);
create index if not exists deliveries_reference on deliveries (participant, reference);

-- copies that did not verify: kept, counted, never handed on, their number not counted as had
create table if not exists unverified (
  participant text not null,
  digest      blob not null,
  step        integer not null,
  code        text not null,
  reason      text not null,
  document    blob not null,
  at_ms       integer not null,
  primary key (participant, digest)
) without rowid;

-- the entries behind the copies that came, by number: what a statement of completeness is compared with; no content
create table if not exists copies (
  participant text not null,
  log         text not null,
  number      integer not null,
  day         integer not null,              -- of `admitted` in Asia/Shanghai, days since 1970-01-01
  source      text not null,
  leaf        blob not null,                 -- leaf hash of the entry
  primary key (participant, log, number)
) without rowid;
create index if not exists copies_day on copies (participant, log, day, number);

-- the number from which on they are kept, where the database is older than the table above: it had taken copies before
create table if not exists copies_from (
  participant text not null,
  log         text not null,
  number      integer not null,
  primary key (participant, log)
) without rowid;
insert into copies_from select participant, log, next from numbers
  where next > 0 and not exists (select 1 from about where name = 'copies');
insert or ignore into about values ('copies', 'kept');

-- as a witness: the last checkpoint cosigned of each log, as the log signed it
create table if not exists witnessed (
  origin      text primary key,
  size        integer not null,
  root        blob not null,
  note        blob not null,
  cosigned_ms integer not null
) without rowid;

-- the cosignature of each participant over that checkpoint, and whether the exchange has it
create table if not exists cosignatures (
  origin      text not null,
  participant text not null,
  note        blob not null,                 -- the note with the log's line and this participant's
  state       text not null check (state in ('new', 'sent', 'refused')),
  primary key (origin, participant)
) without rowid;

-- two notes of one log that contradict one another, kept for good; an open one stops the cosigning of its log
create table if not exists split_views (
  n            integer primary key autoincrement,
  origin       text not null,
  event        text not null,                -- id of the SplitViewFound
  seen_size    integer not null,
  seen_root    blob not null,
  seen_note    blob not null,
  offered_size integer not null,
  offered_root blob not null,
  offered_note blob not null,
  prefix_root  blob,                         -- root of the larger tree at the smaller size; null at equal sizes
  proof        blob not null,                -- consistency path from it, hashes joined
  found_ms     integer not null,
  cleared_ms   integer,
  reason       text,                         -- why an operator cleared it
  unique (origin, seen_note, offered_note)
);

-- entries of the cases that a participant has a part in, sent or received; codes and instants, no content
create table if not exists case_entries (
  participant text not null,
  event       text not null,
  type        text not null,
  source      text not null,
  addressees  text not null,
  recipients  text not null,                 -- of an own event its addressees: whoever else had a copy is not known here
  subject     text not null,
  agreement   text not null,
  time_ms     integer not null,
  value       text not null,                 -- JSON; of text only that there was some
  log         text,                          -- null until the outcome of an own event came
  seq         integer,
  admitted_ms integer,
  members     integer,                       -- null for an own event: its outcome does not say it
  primary key (participant, event)
) without rowid;
create index if not exists case_entries_of on case_entries (participant, subject, seq);

-- entries of these cases of which the exchange told that they had no effect
create table if not exists case_voids (
  participant text not null,
  event       text not null,
  primary key (participant, event)
) without rowid;

-- what the exchange told of the clocks of these cases, compared with what the node computes itself
create table if not exists clock_notices (
  participant text not null,
  event       text not null,
  type        text not null,
  subject     text not null,
  clock       text not null,
  cause       text not null,
  time_ms     integer not null,
  verdict     text not null,
  actors      text not null,
  state       text not null default 'new' check (state in ('new', 'same', 'differs', 'unknown')),
  primary key (participant, event)
) without rowid;
create index if not exists clock_notices_of on clock_notices (participant, subject);
create index if not exists clock_notices_new on clock_notices (participant, subject) where state = 'new';

-- the members log as the node verified it: by it a case can be computed anew without asking anybody
create table if not exists members_log (
  seq      integer primary key,
  document blob not null                     -- structured CloudEvent with its entry
);
