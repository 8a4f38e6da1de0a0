-- SQLite's strftime: a moment as text, modifiers, a format with % signs.

-- The moment a text names, without a zone in UTC; NULL when it names none.
CREATE OR REPLACE FUNCTION undercroft.moment(text_value text) RETURNS timestamp
LANGUAGE plpgsql STABLE STRICT PARALLEL SAFE AS $$
DECLARE
  part text[];
  day text;
  clock text;
  zone text;
  found timestamp;
BEGIN
  IF lower(text_value) = 'now' THEN
    RETURN date_trunc('milliseconds', now() AT TIME ZONE 'UTC');
  END IF;
  part := regexp_match(text_value,
    '^\s*(?:(\d{4}-\d\d-\d\d)(?:[ T]+|$))?(?:(\d\d:\d\d(?::\d\d(?:\.\d+)?)?)\s*([zZ]|[+-]\d\d:\d\d)?)?\s*$');
  IF part IS NULL THEN
    IF text_value ~ '^\s*[+-]?\d+(\.\d*)?\s*$' THEN
      RETURN undercroft.julian_moment(text_value::double precision);
    END IF;
    RETURN NULL;
  END IF;
  day := coalesce(part[1], '2000-01-01');
  clock := coalesce(part[2], '00:00');
  zone := part[3];
  IF part[1] IS NULL AND part[2] IS NULL THEN
    RETURN NULL;
  END IF;
  IF substr(day, 6, 2)::int NOT BETWEEN 1 AND 12 OR substr(day, 9, 2)::int NOT BETWEEN 1 AND 31
    OR substr(clock, 1, 2)::int > 24 OR substr(clock, 4, 2)::int > 59 THEN
    RETURN NULL;
  END IF;
  found := make_timestamp(greatest(substr(day, 1, 4)::int, 1), substr(day, 6, 2)::int, 1, 0, 0, 0)
    + make_interval(days => substr(day, 9, 2)::int - 1) + clock::interval;
  IF zone IS NOT NULL AND lower(zone) <> 'z' THEN
    found := found - zone::interval;
  END IF;
  RETURN found;
EXCEPTION WHEN others THEN
  RETURN NULL;
END
$$;

CREATE OR REPLACE FUNCTION undercroft.julian_moment(day double precision) RETURNS timestamp
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
  SELECT CASE WHEN day >= 0 AND day < 5373484.5
    THEN timestamp '1970-01-01' + make_interval(secs => round(((day - 2440587.5) * 86400.0)::numeric, 3)::double precision) END
$$;

-- A moment after one of SQLite's modifiers; NULL for one that is none.
CREATE OR REPLACE FUNCTION undercroft.modified(moment timestamp, given text, modifier text) RETURNS timestamp
LANGUAGE plpgsql STABLE STRICT PARALLEL SAFE AS $$
DECLARE
  word text := lower(trim(modifier));
  part text[];
  amount double precision;
  ahead int;
BEGIN
  CASE word
    WHEN 'start of month' THEN RETURN date_trunc('month', moment);
    WHEN 'start of year' THEN RETURN date_trunc('year', moment);
    WHEN 'start of day' THEN RETURN date_trunc('day', moment);
    WHEN 'utc', 'localtime', 'auto', 'subsec', 'subsecond', 'ceiling', 'floor' THEN RETURN moment;
    WHEN 'julianday' THEN RETURN CASE WHEN given ~ '^\s*[+-]?\d' AND given !~ '[-:].*[-:]' THEN moment END;
    WHEN 'unixepoch' THEN
      RETURN CASE WHEN undercroft.text_number(given) IS NOT NULL
        THEN timestamp '1970-01-01' + make_interval(secs => undercroft.text_number(given)) END;
    ELSE NULL;
  END CASE;
  part := regexp_match(word, '^weekday\s+([0-6])(?:\.0*)?$');
  IF part IS NOT NULL THEN
    ahead := (part[1]::int - extract(dow FROM moment)::int + 7) % 7;
    RETURN moment + make_interval(days => ahead);
  END IF;
  part := regexp_match(word, '^([+-]?\d+(?:\.\d*)?)\s*(second|minute|hour|day|month|year)s?$');
  IF part IS NOT NULL THEN
    amount := part[1]::double precision;
    RETURN CASE part[2]
      WHEN 'second' THEN moment + make_interval(secs => amount)
      WHEN 'minute' THEN moment + make_interval(secs => amount * 60)
      WHEN 'hour' THEN moment + make_interval(secs => amount * 3600)
      WHEN 'day' THEN moment + make_interval(secs => amount * 86400)
      WHEN 'month' THEN undercroft.months_later(moment, trunc(amount)::int)
        + make_interval(secs => (amount - trunc(amount)) * 30 * 86400)
      ELSE undercroft.months_later(moment, trunc(amount)::int * 12)
        + make_interval(secs => (amount - trunc(amount)) * 365 * 86400) END;
  END IF;
  part := regexp_match(word, '^([+-])?(\d\d:\d\d(?::\d\d(?:\.\d+)?)?)$');
  IF part IS NOT NULL THEN
    RETURN CASE WHEN part[1] = '-' THEN moment - part[2]::interval ELSE moment + part[2]::interval END;
  END IF;
  part := regexp_match(word, '^([+-])(\d{4})-(\d\d)-(\d\d)(?:\s+(\d\d:\d\d(?::\d\d(?:\.\d+)?)?))?$');
  IF part IS NOT NULL THEN
    ahead := CASE WHEN part[1] = '-' THEN -1 ELSE 1 END;
    RETURN undercroft.months_later(moment, ahead * (part[2]::int * 12 + part[3]::int))
      + ahead * (make_interval(days => part[4]::int) + coalesce(part[5], '00:00')::interval);
  END IF;
  RETURN NULL;
END
$$;

-- The same day some months later; a day that month does not have runs over into the next.
CREATE OR REPLACE FUNCTION undercroft.months_later(moment timestamp, months int) RETURNS timestamp
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
  SELECT date_trunc('month', moment) + make_interval(months => months) + (moment - date_trunc('month', moment))
$$;

CREATE OR REPLACE FUNCTION undercroft.strftime(format text, VARIADIC given text[]) RETURNS text
LANGUAGE plpgsql STABLE PARALLEL SAFE AS $$
DECLARE
  start text := CASE WHEN cardinality(given) > 0 THEN given[1] ELSE 'now' END;
  at timestamp := undercroft.moment(start);
  modifier text;
BEGIN
  IF format IS NULL OR start IS NULL THEN
    RETURN NULL;
  END IF;
  FOREACH modifier IN ARRAY given[2:] LOOP
    -- A number of seconds may be no day at all, so it is read only where it is said to be one.
    IF lower(trim(modifier)) IN ('unixepoch', 'auto') AND at IS NULL AND undercroft.text_number(start) IS NOT NULL THEN
      at := timestamp '1970-01-01' + make_interval(secs => undercroft.text_number(start));
    ELSE
      at := undercroft.modified(at, start, modifier);
    END IF;
  END LOOP;
  IF at IS NULL OR extract(year FROM at) NOT BETWEEN 1 AND 9999 THEN
    RETURN NULL;
  END IF;
  RETURN undercroft.formatted(format, at);
END
$$;

CREATE OR REPLACE FUNCTION undercroft.formatted(format text, at timestamp) RETURNS text
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
  result text := '';
  place int := 1;
  sign text;
  spelled text;
BEGIN
  WHILE place <= length(format) LOOP
    sign := substr(format, place, 1);
    IF sign <> '%' THEN
      result := result || sign;
      place := place + 1;
      CONTINUE;
    END IF;
    sign := substr(format, place + 1, 1);
    place := place + 2;
    spelled := CASE sign
      WHEN 'd' THEN to_char(at, 'DD')
      WHEN 'e' THEN lpad(extract(day FROM at)::text, 2, ' ')
      WHEN 'f' THEN to_char(at, 'SS.MS')
      WHEN 'F' THEN to_char(at, 'YYYY-MM-DD')
      WHEN 'G' THEN to_char(at, 'IYYY')
      WHEN 'g' THEN to_char(at, 'IY')
      WHEN 'H' THEN to_char(at, 'HH24')
      WHEN 'I' THEN to_char(at, 'HH12')
      WHEN 'j' THEN to_char(at, 'DDD')
      WHEN 'J' THEN (extract(epoch FROM at) / 86400.0 + 2440587.5)::double precision::text
      WHEN 'k' THEN lpad(extract(hour FROM at)::text, 2, ' ')
      WHEN 'l' THEN lpad(((extract(hour FROM at)::int + 11) % 12 + 1)::text, 2, ' ')
      WHEN 'm' THEN to_char(at, 'MM')
      WHEN 'M' THEN to_char(at, 'MI')
      WHEN 'p' THEN to_char(at, 'AM')
      WHEN 'P' THEN to_char(at, 'am')
      WHEN 'R' THEN to_char(at, 'HH24:MI')
      WHEN 's' THEN floor(extract(epoch FROM at))::bigint::text
      WHEN 'S' THEN to_char(at, 'SS')
      WHEN 'T' THEN to_char(at, 'HH24:MI:SS')
      WHEN 'u' THEN extract(isodow FROM at)::text
      WHEN 'U' THEN lpad(((extract(doy FROM at)::int + 6 - extract(dow FROM at)::int) / 7)::text, 2, '0')
      WHEN 'V' THEN to_char(at, 'IW')
      WHEN 'w' THEN extract(dow FROM at)::text
      WHEN 'W' THEN lpad(((extract(doy FROM at)::int + 7 - extract(isodow FROM at)::int) / 7)::text, 2, '0')
      WHEN 'Y' THEN to_char(at, 'YYYY')
      WHEN '%' THEN '%'
    END;
    IF spelled IS NULL THEN
      RETURN NULL;
    END IF;
    result := result || spelled;
  END LOOP;
  RETURN result;
END
$$;

-- The bounds of the moments whose text on the wire may be that of a value or behind it (before it, with is_last): the second
-- or the day that it begins with, or all of time. An index serves comparisons with these.
-- They look dear, so that PostgreSQL plans for each value and does not ask again for each row.
CREATE OR REPLACE FUNCTION undercroft.moment_bound(value text, is_last boolean) RETURNS timestamptz
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE COST 100000 AS $$
DECLARE
  parts text[] := regexp_match(value,
    '^(\d{3}[1-9]|\d\d[1-9]\d|\d[1-9]\d\d|[1-9]\d{3})-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])(?: ([01]\d|2[0-3]):([0-5]\d):([0-5]\d))?');
  day date;
  next_month date;
BEGIN
  IF parts IS NULL THEN
    RETURN CASE WHEN is_last THEN 'infinity' ELSE '-infinity' END;
  END IF;
  day := make_date(parts[1]::int, parts[2]::int, 1) + (parts[3]::int - 1);
  next_month := make_date(parts[1]::int, parts[2]::int, 1) + interval '1 month';
  IF day >= next_month THEN
    RETURN next_month::timestamp AT TIME ZONE 'UTC';
  ELSIF parts[4] IS NULL THEN
    RETURN (day + is_last::int)::timestamp AT TIME ZONE 'UTC';
  END IF;
  RETURN (day + make_time(parts[4]::int, parts[5]::int, parts[6]::int) + make_interval(secs => is_last::int))
    AT TIME ZONE 'UTC';
END
$$;
