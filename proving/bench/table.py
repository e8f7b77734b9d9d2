"""The bare table that baselines write to."""

TABLE = "bare_notices (id bigserial PRIMARY KEY, body bytea NOT NULL, at timestamptz NOT NULL DEFAULT now())"
INSERT = "INSERT INTO bare_notices (body) VALUES (%s)"
