-- What queries of views call by SQLite's names, and what makes their columns ours.

-- Any value as JSON; text that holds JSON is that JSON.
CREATE OR REPLACE FUNCTION undercroft.any_json(value anyelement) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
BEGIN
  IF pg_typeof(value) = 'timestamptz'::regtype THEN
    RETURN to_jsonb(undercroft.date_text(value::text::timestamptz));
  END IF;
  IF pg_typeof(value) IN ('text'::regtype, 'varchar'::regtype) AND left(value::text, 1) IN ('{', '[', '"') THEN
    BEGIN
      RETURN value::text::jsonb;
    EXCEPTION WHEN others THEN
      RETURN to_jsonb(value);
    END;
  END IF;
  RETURN to_jsonb(value);
END
$$;

CREATE OR REPLACE FUNCTION undercroft.any_text(value anyelement) RETURNS text
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
BEGIN
  IF pg_typeof(value) = 'timestamptz'::regtype THEN
    RETURN undercroft.date_text(value::text::timestamptz);
  ELSIF pg_typeof(value) = 'jsonb'::regtype THEN
    RETURN undercroft.scalar_text(value::text::jsonb);
  ELSIF pg_typeof(value) = 'boolean'::regtype THEN
    RETURN value::text::boolean::int::text;
  END IF;
  RETURN value::text;
END
$$;

CREATE OR REPLACE FUNCTION undercroft.any_number(value anyelement) RETURNS double precision
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
  SELECT coalesce(undercroft.text_number(substring(undercroft.any_text(value) FROM '^\s*[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?')), 0)
$$;

CREATE OR REPLACE FUNCTION undercroft.any_bool(value anyelement) RETURNS boolean
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
  SELECT undercroft.any_number(value) <> 0
$$;

CREATE OR REPLACE FUNCTION undercroft.json_array_length(list jsonb) RETURNS bigint
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT undercroft.list_length(list)::bigint $$;

CREATE OR REPLACE FUNCTION undercroft.json_valid(value jsonb) RETURNS int
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT 1 $$;

CREATE OR REPLACE FUNCTION undercroft.json_each(list jsonb) RETURNS TABLE (key int, value text)
LANGUAGE sql IMMUTABLE PARALLEL SAFE ROWS 5 AS $$
  SELECT (e.n - 1)::int, e.value FROM jsonb_array_elements_text(
    CASE WHEN jsonb_typeof(list) = 'array' THEN list ELSE jsonb_build_array(list) END) WITH ORDINALITY AS e(value, n)
$$;

CREATE OR REPLACE FUNCTION undercroft.json_extract(value jsonb, path text) RETURNS jsonb
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
  SELECT nullif(value #> regexp_split_to_array(trim(LEADING '.' FROM replace(replace(substr(path, 2), '[', '.'), ']', '')), '\.'),
    'null'::jsonb)
$$;

CREATE OR REPLACE FUNCTION undercroft.ifnull(value anycompatible, instead anycompatible) RETURNS anycompatible
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT coalesce(value, instead) $$;

CREATE OR REPLACE FUNCTION undercroft.iif(condition boolean, yes anycompatible, no anycompatible) RETURNS anycompatible
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT CASE WHEN condition THEN yes ELSE no END $$;

CREATE OR REPLACE FUNCTION undercroft.strftime(format text, moment timestamptz) RETURNS text
LANGUAGE sql STABLE STRICT PARALLEL SAFE AS $$ SELECT undercroft.strftime(format, undercroft.date_text(moment)) $$;

CREATE OR REPLACE FUNCTION undercroft.same(flag boolean, number int) RETURNS boolean
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT flag::int = number $$;
CREATE OR REPLACE FUNCTION undercroft.differ(flag boolean, number int) RETURNS boolean
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT flag::int <> number $$;

DO $$ BEGIN
  IF to_regoperator('undercroft.=(boolean,int)') IS NULL THEN
    CREATE OPERATOR undercroft.= (LEFTARG = boolean, RIGHTARG = int, FUNCTION = undercroft.same);
    CREATE OPERATOR undercroft.<> (LEFTARG = boolean, RIGHTARG = int, FUNCTION = undercroft.differ);
  END IF;
END $$;
