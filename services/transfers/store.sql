-- BEGIN reading (services/transfers/listing.py)
-- What a case is found by: whom it was told to, its kind and state, the rules of its clocks that have not ended ('clock:'), of those whose
-- end has passed ('passed:'), and whether one of them is provisional. One index for every list and figure: about 15 µs of the database a
-- state stored, measured, where tables kept by a trigger cost 85.
create or replace function marks(held jsonb) returns text[] immutable strict parallel safe cost 10000 language plpgsql as $$
begin
    return array(
        select 'to:' || name from jsonb_array_elements_text(held -> 'informed') as name
        union all values ('kind:' || (held ->> 'kind')), ('state:' || (held ->> 'state'))
        union all
        select mark from
            jsonb_to_recordset(held -> 'clocks') as c (rule text, told_state text, advisory boolean, provisional boolean),
            lateral (values
                ('clock:' || c.rule),
                (case when c.told_state = 'expired' and c.advisory is not true then 'passed:' || c.rule end),
                (case when c.provisional then 'provisional' end)) as m (mark)
        where c.told_state in ('running', 'suspended', 'expired') and mark is not null);
end $$;
create index if not exists state_marks on state using gin (marks(state));
-- END reading
