-- Values as SQLite compares and shows them. `scalar` is what stands at a path of JSON.
CREATE SCHEMA IF NOT EXISTS undercroft;
CREATE TABLE IF NOT EXISTS undercroft.installed (version text NOT NULL);
-- Holds no rows: writes lock it, beside each other or alone.
CREATE TABLE IF NOT EXISTS undercroft.writers ();

-- The text of a moment on the wire; an empty date is -infinity and sorts first.
CREATE OR REPLACE FUNCTION undercroft.date_text(moment timestamptz) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE WHEN moment IS NULL THEN NULL WHEN moment = '-infinity' THEN ''
    ELSE to_char(moment AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.MS') || 'Z' END COLLATE "C"
$$;

CREATE OR REPLACE FUNCTION undercroft.json_text(value jsonb) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
  SELECT CASE jsonb_typeof(value)
    WHEN 'object' THEN '{' || (SELECT coalesce(string_agg(to_json(e.key)::text || ':' || undercroft.json_text(e.value),
      ',' ORDER BY e.key COLLATE "C"), '') FROM jsonb_each(value) AS e) || '}'
    WHEN 'array' THEN '[' || (SELECT coalesce(string_agg(undercroft.json_text(e.value), ',' ORDER BY e.n), '')
      FROM jsonb_array_elements(value) WITH ORDINALITY AS e(value, n)) || ']'
    ELSE value::text END COLLATE "C"
$$;

CREATE OR REPLACE FUNCTION undercroft.scalar_text(value jsonb) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
  SELECT CASE jsonb_typeof(value) WHEN 'null' THEN NULL WHEN 'string' THEN value #>> '{}'
    WHEN 'boolean' THEN (value::boolean::int)::text WHEN 'number' THEN value::text
    ELSE undercroft.json_text(value) END COLLATE "C"
$$;

-- A number that a text is from its start to its end; NULL when it is none.
CREATE OR REPLACE FUNCTION undercroft.text_number(value text) RETURNS double precision
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
  SELECT CASE WHEN value ~ '^\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?\s*$' THEN value::double precision END
$$;

CREATE OR REPLACE FUNCTION undercroft.scalar_number(value jsonb) RETURNS double precision
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
  SELECT CASE jsonb_typeof(value) WHEN 'number' THEN (value #>> '{}')::double precision
    WHEN 'boolean' THEN value::boolean::int::double precision
    WHEN 'string' THEN undercroft.text_number(value #>> '{}') END
$$;

-- A number as SQLite writes one that is bound as a float: 5.0.
CREATE OR REPLACE FUNCTION undercroft.real_text(value double precision) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
  SELECT CASE WHEN value = trunc(value) AND abs(value) < 1e15 THEN value::bigint::text || '.0' ELSE value::text END
$$;

-- Texts that sort as values do in SQLite: numbers by value, then texts by their bytes.
CREATE OR REPLACE FUNCTION undercroft.rank(value double precision) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
  SELECT CASE WHEN value >= 0
    THEN '0' || translate(left(encode(float8send(value + 0.0), 'hex'), 1), '01234567', '89abcdef')
      || substr(encode(float8send(value + 0.0), 'hex'), 2)
    ELSE '0' || translate(encode(float8send(value), 'hex'), '0123456789abcdef', 'fedcba9876543210') END COLLATE "C"
$$;

CREATE OR REPLACE FUNCTION undercroft.rank(value jsonb) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
  SELECT CASE jsonb_typeof(value) WHEN 'null' THEN NULL
    WHEN 'number' THEN undercroft.rank((value #>> '{}')::double precision)
    WHEN 'boolean' THEN undercroft.rank(value::boolean::int::double precision)
    ELSE '1' || undercroft.scalar_text(value) END COLLATE "C"
$$;

-- The rank of a text beside a column of numbers: texts that are numbers count as such.
CREATE OR REPLACE FUNCTION undercroft.numeric_rank(value text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
  SELECT coalesce(undercroft.rank(undercroft.text_number(value)), '1' || value) COLLATE "C"
$$;

-- The elements of a JSON array; anything else is its own only element.
CREATE OR REPLACE FUNCTION undercroft.elements(list jsonb) RETURNS TABLE (value jsonb)
LANGUAGE sql IMMUTABLE PARALLEL SAFE ROWS 5 AS $$
  SELECT jsonb_array_elements(CASE WHEN jsonb_typeof(list) = 'array' THEN list ELSE jsonb_build_array(list) END)
$$;

CREATE OR REPLACE FUNCTION undercroft.element_texts(list jsonb) RETURNS TABLE (value text)
LANGUAGE sql IMMUTABLE PARALLEL SAFE ROWS 5 AS $$
  SELECT jsonb_array_elements_text(CASE WHEN jsonb_typeof(list) = 'array' THEN list ELSE jsonb_build_array(list) END)
$$;

CREATE OR REPLACE FUNCTION undercroft.list_length(list jsonb) RETURNS int
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE WHEN jsonb_typeof(list) = 'array' THEN jsonb_array_length(list) ELSE 0 END
$$;

CREATE OR REPLACE FUNCTION undercroft.geo_distance(
  lon_a double precision, lat_a double precision, lon_b double precision, lat_b double precision
) RETURNS double precision LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
  SELECT 2 * 6371.0 * asin(sqrt(least(1.0, power(sin((radians(lat_b) - radians(lat_a)) / 2), 2)
    + cos(radians(lat_a)) * cos(radians(lat_b)) * power(sin((radians(lon_b) - radians(lon_a)) / 2), 2))))
$$;
