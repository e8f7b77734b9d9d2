-- The directory: who runs what, and under which secret paths strangers reach us. No personal data.
CREATE TABLE tenants (
    id uuid PRIMARY KEY,
    kind text NOT NULL CHECK (kind IN ('mutuelle', 'federation')),
    parent_id uuid REFERENCES tenants,
    code text NOT NULL UNIQUE,
    short_code text NOT NULL UNIQUE CHECK (short_code ~ '^[0-9]{3,6}$'),
    name text NOT NULL,
    scheme text NOT NULL,
    country text NOT NULL,
    currency text NOT NULL,
    zone text NOT NULL,
    language text NOT NULL,
    created_at timestamptz NOT NULL
);
CREATE TABLE gateway_accounts (
    id uuid PRIMARY KEY,
    tenant_id uuid NOT NULL REFERENCES tenants,
    provider text NOT NULL,
    token_hash bytea NOT NULL UNIQUE,
    old_token_hash bytea UNIQUE,
    created_at timestamptz NOT NULL,
    UNIQUE (tenant_id, id)
);
CREATE TABLE service_codes (
    gateway_id uuid NOT NULL REFERENCES gateway_accounts,
    code text NOT NULL CHECK (code ~ '^[*][0-9*]+#$'),
    tenant_id uuid NOT NULL REFERENCES tenants,
    PRIMARY KEY (gateway_id, code)
);
CREATE TABLE operator_accounts (
    tenant_id uuid NOT NULL REFERENCES tenants,
    id uuid NOT NULL UNIQUE,
    operator text NOT NULL,
    code text NOT NULL UNIQUE,
    currency text NOT NULL,
    credentials bytea NOT NULL,
    token_hash bytea NOT NULL UNIQUE,
    old_token_hash bytea UNIQUE,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id)
);
-- How far an account's transaction list was read. `overlap_cursor` is where the next reading begins again.
CREATE TABLE pulls (
    tenant_id uuid NOT NULL,
    account_id uuid NOT NULL,
    day date NOT NULL,
    cursor text,
    overlap_cursor text,
    pulled_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, account_id, day),
    FOREIGN KEY (tenant_id, account_id) REFERENCES operator_accounts (tenant_id, id)
);

-- Who is covered.
CREATE TABLE households (
    tenant_id uuid NOT NULL REFERENCES tenants,
    id uuid NOT NULL,
    number text NOT NULL UNIQUE CHECK (number ~ '^[1-9][0-9]{9}$'),
    language text NOT NULL,
    channel text NOT NULL,
    joined_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id)
);
CREATE TABLE members (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    household_id uuid NOT NULL,
    kind text NOT NULL CHECK (kind IN ('head', 'dependant')),
    birth_year smallint NOT NULL CHECK (birth_year BETWEEN 1890 AND 2200),
    name text,
    provisional boolean NOT NULL,
    since date NOT NULL,
    until date,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, household_id) REFERENCES households (tenant_id, id),
    CHECK (provisional OR name IS NOT NULL)
);
CREATE INDEX members_household ON members (tenant_id, household_id);
CREATE TABLE phones (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    household_id uuid NOT NULL,
    blind_index bytea NOT NULL,
    cipher bytea NOT NULL,
    since timestamptz NOT NULL,
    until timestamptz,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, household_id) REFERENCES households (tenant_id, id)
);
CREATE UNIQUE INDEX phones_now ON phones (tenant_id, blind_index) WHERE until IS NULL;
CREATE INDEX phones_anywhere ON phones (blind_index) WHERE until IS NULL;
CREATE INDEX phones_household ON phones (tenant_id, household_id);
CREATE TABLE categories (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    household_id uuid NOT NULL,
    category text NOT NULL,
    standing text NOT NULL CHECK (standing IN ('claimed', 'checked', 'refused')),
    evidence text,
    since date NOT NULL,
    until date,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, household_id) REFERENCES households (tenant_id, id),
    CHECK (standing <> 'checked' OR evidence IS NOT NULL)
);
CREATE INDEX categories_household ON categories (tenant_id, household_id);
CREATE TABLE consents (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    household_id uuid NOT NULL,
    kind text NOT NULL CHECK (kind IN ('membership', 'sms')),
    given boolean NOT NULL,
    text_version text NOT NULL,
    language text NOT NULL,
    channel text NOT NULL,
    at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, household_id) REFERENCES households (tenant_id, id)
);
CREATE TABLE sms_stops (
    tenant_id uuid NOT NULL REFERENCES tenants,
    blind_index bytea NOT NULL,
    at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, blind_index)
);

-- What is owed.
CREATE TABLE bills (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    household_id uuid NOT NULL,
    kind text NOT NULL CHECK (kind IN ('dues', 'joining')),
    issued date NOT NULL,
    period_from date,
    period_until date,
    scheme text NOT NULL,
    version date NOT NULL,
    option text NOT NULL,
    category text,
    born smallint[] NOT NULL,
    total bigint NOT NULL CHECK (total >= 0),
    currency text NOT NULL,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, household_id, kind, issued),
    FOREIGN KEY (tenant_id, household_id) REFERENCES households (tenant_id, id),
    CHECK ((period_from IS NULL) = (period_until IS NULL) AND period_from <= period_until)
);
CREATE TABLE bill_lines (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    bill_id uuid NOT NULL,
    payer text NOT NULL CHECK (payer IN ('member', 'state', 'commune', 'sponsor')),
    amount bigint NOT NULL,
    rule text NOT NULL,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, bill_id) REFERENCES bills (tenant_id, id)
);
CREATE INDEX bill_lines_bill ON bill_lines (tenant_id, bill_id);
CREATE TABLE rights (
    tenant_id uuid NOT NULL,
    household_id uuid NOT NULL,
    since date NOT NULL,
    until date,
    state text NOT NULL CHECK (state IN ('open', 'waiting', 'part-paid', 'lapsed', 'suspended', 'never')),
    reason text NOT NULL,
    next_step text NOT NULL,
    PRIMARY KEY (tenant_id, household_id, since),
    FOREIGN KEY (tenant_id, household_id) REFERENCES households (tenant_id, id),
    CHECK (until IS NULL OR until >= since)
);
