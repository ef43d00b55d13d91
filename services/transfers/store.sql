-- BEGIN reading (services/transfers/listing.py)
-- What a case is found by: whom it was told to, the rules of its clocks that have not ended, 'expired' where one has passed that is not
-- advisory, 'provisional' where one is. One index for every list and figure, of paths alone, which cost the database 3 µs a state stored
-- (measured beside 30 without it); a function in PL/pgSQL cost 15, tables kept by a trigger 85.
create or replace function case_marks(held jsonb) returns jsonb immutable strict parallel safe language sql as $$
    select jsonb_path_query_array(held, '$.clocks[*] ? (@.told_state == "running" || @.told_state == "suspended" || @.told_state == "expired").rule')
        || jsonb_path_query_array(held, '$.clocks[*] ? (@.told_state == "expired" && !(@.advisory == true)).told_state')
        || jsonb_path_query_array(held, '$.clocks[*] ? (@.provisional == true && (@.told_state == "running" || @.told_state == "suspended" || @.told_state == "expired")).keyvalue().key ? (@ == "provisional")')
        || (held -> 'informed')
$$;
create index if not exists state_case_marks on state using gin (case_marks(state));
-- END reading
