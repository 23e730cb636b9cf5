-- Who may sign in: accounts, sessions, tokens, throttled attempts. Replaced by its own issue step.
select 1;
