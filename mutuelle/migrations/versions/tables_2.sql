-- Our requests to collect. `effect_key` makes a repeated Confirm find the first payment; `ref` is what the operator hears.
CREATE TABLE payments (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    ref uuid NOT NULL UNIQUE,
    account_id uuid NOT NULL,
    household_id uuid NOT NULL,
    household_tenant_id uuid NOT NULL,
    effect_key text NOT NULL UNIQUE,
    payer_index bytea NOT NULL,
    payer_cipher bytea NOT NULL,
    amount bigint NOT NULL CHECK (amount > 0),
    currency text NOT NULL,
    status text NOT NULL CHECK (status IN ('requested', 'unknown', 'pending', 'confirmed', 'failed', 'expired', 'reversed')),
    reason text,
    operator_ref text,
    link text,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    settled_at timestamptz,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, account_id) REFERENCES operator_accounts (tenant_id, id),
    FOREIGN KEY (household_tenant_id, household_id) REFERENCES households (tenant_id, id)
);
-- One live request per household: a second one would ask the farmer to pay twice.
CREATE UNIQUE INDEX payments_live ON payments (household_tenant_id, household_id)
    WHERE status IN ('requested', 'unknown', 'pending');
CREATE INDEX payments_household ON payments (household_tenant_id, household_id);

-- Money proven received; it belongs to the owner of the operator account.
CREATE TABLE receipts (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    account_id uuid NOT NULL,
    transaction text NOT NULL,
    amount bigint NOT NULL CHECK (amount > 0),
    currency text NOT NULL,
    fee bigint NOT NULL DEFAULT 0 CHECK (fee >= 0),
    payer_index bytea,
    payer_cipher bytea,
    reference text,
    door text NOT NULL CHECK (door IN ('callback', 'poll', 'list', 'statement')),
    moved_at timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (account_id, transaction),
    FOREIGN KEY (tenant_id, account_id) REFERENCES operator_accounts (tenant_id, id)
);
-- The operator took a payment back. An event of its receipt, seen under a transaction of its own.
CREATE TABLE reversals (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    receipt_id uuid NOT NULL,
    account_id uuid NOT NULL,
    transaction text NOT NULL,
    amount bigint NOT NULL CHECK (amount > 0),
    moved_at timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (account_id, transaction),
    FOREIGN KEY (tenant_id, account_id) REFERENCES operator_accounts (tenant_id, id),
    FOREIGN KEY (tenant_id, receipt_id) REFERENCES receipts (tenant_id, id)
);
-- Where each unit of a receipt went. Signed: a correction is a negative row and a positive one, never an edit.
CREATE TABLE allocations (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    receipt_id uuid NOT NULL,
    household_tenant_id uuid,
    household_id uuid,
    bill_line_id uuid,
    kind text NOT NULL CHECK (kind IN ('bill', 'credit', 'suspense', 'refunded', 'reversed')),
    amount bigint NOT NULL CHECK (amount <> 0),
    on_day date NOT NULL,
    at timestamptz NOT NULL,
    reason text NOT NULL,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, receipt_id) REFERENCES receipts (tenant_id, id),
    FOREIGN KEY (household_tenant_id, household_id) REFERENCES households (tenant_id, id),
    FOREIGN KEY (household_tenant_id, bill_line_id) REFERENCES bill_lines (tenant_id, id),
    CHECK ((household_tenant_id IS NULL) = (household_id IS NULL)),
    CHECK ((kind = 'bill') = (bill_line_id IS NOT NULL)),
    CHECK (kind NOT IN ('bill', 'credit') OR household_id IS NOT NULL)
);
CREATE INDEX allocations_receipt ON allocations (tenant_id, receipt_id);
CREATE INDEX allocations_household ON allocations (household_tenant_id, household_id);

-- The ledger: an entry is a set of postings, each moving whole units from one address to another.
CREATE TABLE entries (
    tenant_id uuid NOT NULL REFERENCES tenants,
    id uuid NOT NULL,
    reference text NOT NULL,
    at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, reference)
);
CREATE TABLE postings (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    entry_id uuid NOT NULL,
    source text NOT NULL,
    target text NOT NULL,
    amount bigint NOT NULL CHECK (amount > 0),
    currency text NOT NULL,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, entry_id) REFERENCES entries (tenant_id, id),
    CHECK (source <> target)
);
CREATE INDEX postings_entry ON postings (tenant_id, entry_id);
CREATE TABLE audit (
    tenant_id uuid NOT NULL REFERENCES tenants,
    id uuid NOT NULL,
    at timestamptz NOT NULL,
    actor text NOT NULL,
    action text NOT NULL,
    subject text NOT NULL,
    facts jsonb NOT NULL,
    PRIMARY KEY (tenant_id, id)
);
-- What a person must look at. Closing one is an event, not a deletion.
CREATE TABLE flags (
    tenant_id uuid NOT NULL REFERENCES tenants,
    id uuid NOT NULL,
    kind text NOT NULL,
    subject text NOT NULL,
    reason text NOT NULL,
    opened_at timestamptz NOT NULL,
    closed_at timestamptz,
    PRIMARY KEY (tenant_id, id)
);
CREATE UNIQUE INDEX flags_open ON flags (tenant_id, kind, subject) WHERE closed_at IS NULL;
