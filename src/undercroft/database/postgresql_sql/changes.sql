-- Entries of the change log are numbered when they are written and seen when their transaction commits, which may
-- be in another order. So a transaction claims its place, for all to see, before its first entry gets a number: a
-- lock that nobody waits for, whose key is the number last given. It ends after the commit can be seen. Below the lowest
-- claim, and up to the number last given before the claims were looked at, no entry is still to come.

CREATE OR REPLACE FUNCTION undercroft.last_change() RETURNS bigint
LANGUAGE sql VOLATILE AS $$
  SELECT coalesce(pg_sequence_last_value(pg_get_serial_sequence('public."_changes"', 'id')::regclass), 0)
$$;

CREATE OR REPLACE FUNCTION undercroft.claim_change() RETURNS boolean
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
  IF current_setting('undercroft.has_claim', true) IS DISTINCT FROM 'yes' THEN
    PERFORM pg_advisory_xact_lock_shared(1970496882, (undercroft.last_change() & 2147483647)::int);
    PERFORM set_config('undercroft.has_claim', 'yes', true);
  END IF;
  RETURN true;
END
$$;

CREATE OR REPLACE FUNCTION undercroft.settled_change() RETURNS bigint
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  newest bigint := undercroft.last_change();
  oldest bigint;
BEGIN
  -- How far a claim is behind, from the 31 bits that its key has; one made since is ahead, and no matter.
  SELECT newest - max(behind) INTO oldest FROM (
    SELECT (newest - objid::bigint) & 2147483647 AS behind FROM pg_locks
    WHERE locktype = 'advisory' AND classid = 1970496882 AND objsubid = 2
      AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
  ) AS claims WHERE behind < 1073741824;
  RETURN coalesce(oldest, newest);
END
$$;

-- Lets columns of a row be what they are when nothing is said of them; which they are stands in the trigger.
CREATE OR REPLACE FUNCTION undercroft.forget() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
  RETURN jsonb_populate_record(NEW, TG_ARGV[0]::jsonb);
END
$$;
