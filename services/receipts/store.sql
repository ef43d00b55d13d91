-- Beside the runner's tables: a state is found by the id of its event (its key holds the log partition too).
create index if not exists state_event on state ((state ->> 'event'));
