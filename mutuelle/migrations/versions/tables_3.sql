-- The inbox: outsiders' words as they came, encrypted, until they are understood. A repeat only counts up `times`.
CREATE TABLE notices (
    tenant_id uuid NOT NULL REFERENCES tenants,
    id uuid NOT NULL,
    door text NOT NULL CHECK (door IN ('momo', 'sms-delivery', 'sms-incoming', 'ussd-event')),
    account_id uuid NOT NULL,
    provider text NOT NULL,
    digest bytea NOT NULL,
    body bytea NOT NULL,
    authentic boolean,
    named_ref uuid,
    unsolicited boolean NOT NULL DEFAULT false,
    state text NOT NULL CHECK (state IN ('new', 'done', 'rejected', 'person')),
    outcome text,
    times integer NOT NULL DEFAULT 1,
    received_at timestamptz NOT NULL,
    due_at timestamptz NOT NULL,
    attempts integer NOT NULL DEFAULT 0,
    lease_until timestamptz,
    ended_at timestamptz,
    -- A notice belongs to the owner of the account it came in by: an operator's, or an aggregator's.
    operator_account_id uuid GENERATED ALWAYS AS (CASE WHEN door = 'momo' THEN account_id END) STORED,
    gateway_account_id uuid GENERATED ALWAYS AS (CASE WHEN door <> 'momo' THEN account_id END) STORED,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (account_id, door, digest),
    FOREIGN KEY (tenant_id, operator_account_id) REFERENCES operator_accounts (tenant_id, id),
    FOREIGN KEY (tenant_id, gateway_account_id) REFERENCES gateway_accounts (tenant_id, id)
);
CREATE INDEX notices_due ON notices (due_at) WHERE state = 'new';
CREATE INDEX notices_rejected ON notices (account_id, received_at) WHERE state = 'rejected';

-- The outbox: what we still have to ask or say. The row is the queue; `key` makes each thing be put here once.
CREATE TABLE outbox (
    tenant_id uuid NOT NULL REFERENCES tenants,
    id uuid NOT NULL,
    kind text NOT NULL CHECK (kind IN ('collect', 'poll', 'deliver')),
    subject_id uuid NOT NULL,
    key text NOT NULL UNIQUE,
    state text NOT NULL CHECK (state IN ('waiting', 'done', 'person')),
    outcome text,
    created_at timestamptz NOT NULL,
    due_at timestamptz NOT NULL,
    attempts integer NOT NULL DEFAULT 0,
    lease_until timestamptz,
    ended_at timestamptz,
    PRIMARY KEY (tenant_id, id)
);
CREATE INDEX outbox_due ON outbox (kind, due_at) WHERE state = 'waiting';

-- An SMS to send once. `kind` and `facts` say what; the words are chosen in the reader's language when it leaves.
CREATE TABLE messages (
    tenant_id uuid NOT NULL REFERENCES tenants,
    id uuid NOT NULL,
    household_id uuid,
    phone_index bytea NOT NULL,
    phone_cipher bytea NOT NULL,
    language text NOT NULL,
    kind text NOT NULL,
    facts jsonb NOT NULL,
    text text,
    segments integer,
    status text NOT NULL CHECK (status IN
        ('queued', 'sending', 'accepted', 'delivered', 'failed', 'ambiguous', 'stopped')),
    provider_id text,
    provider_status text,
    created_at timestamptz NOT NULL,
    sent_at timestamptz,
    ended_at timestamptz,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, household_id) REFERENCES households (tenant_id, id)
);
CREATE INDEX messages_provider ON messages (provider_id) WHERE provider_id IS NOT NULL;
CREATE INDEX messages_household ON messages (tenant_id, household_id);

-- USSD sessions belong to the gateway account: a foreign id recurs, so ours is the key.
CREATE TABLE ussd_sessions (
    gateway_id uuid NOT NULL REFERENCES gateway_accounts,
    id uuid NOT NULL,
    foreign_id text NOT NULL,
    phone_index bytea NOT NULL,
    tenant_id uuid NOT NULL REFERENCES tenants,
    opening jsonb NOT NULL,
    version integer NOT NULL DEFAULT 0,
    heard jsonb,
    began_at timestamptz NOT NULL,
    report jsonb,
    PRIMARY KEY (gateway_id, id)
);
CREATE INDEX ussd_sessions_foreign ON ussd_sessions (gateway_id, foreign_id, began_at DESC);
CREATE TABLE ussd_effects (
    gateway_id uuid NOT NULL,
    session_id uuid NOT NULL,
    screen text NOT NULL,
    ordinal integer NOT NULL,
    outcome jsonb NOT NULL,
    at timestamptz NOT NULL,
    PRIMARY KEY (gateway_id, session_id, screen, ordinal),
    FOREIGN KEY (gateway_id, session_id) REFERENCES ussd_sessions (gateway_id, id)
);
