-- A day of a transaction list stays open while one of its lines could not be read or booked (`payments/list_cursor.py`).
ALTER TABLE pulls
    ADD COLUMN full_began timestamptz,
    ADD COLUMN full_clean boolean NOT NULL DEFAULT true,
    ADD COLUMN full_due_at timestamptz,
    ADD COLUMN failures integer NOT NULL DEFAULT 0 CHECK (failures >= 0),
    ADD COLUMN open_lines text[] NOT NULL DEFAULT '{}';
CREATE INDEX pulls_open ON pulls (tenant_id, account_id, day) WHERE whole_at IS NULL;

-- Until now a list with lines that could not be read counted as whole: what is not older than a month is read once more.
-- The owner is held by the policies as well, and has no tenant here.
ALTER TABLE pulls NO FORCE ROW LEVEL SECURITY;
UPDATE pulls SET whole_at = NULL, cursor = NULL, overlap_cursor = NULL WHERE day >= CURRENT_DATE - 31;
ALTER TABLE pulls FORCE ROW LEVEL SECURITY;

-- The operator proved money in an answer that we could not read: the payment stays as it is until we can.
ALTER TABLE payments ADD COLUMN unread_proof_at timestamptz;

-- When the money moved, by a callback that reports success: it dates money that an answer without a time proves.
ALTER TABLE notices ADD COLUMN success_at timestamptz;

-- Callbacks about references that the books do not know were not looked into; the operator may prove money for them.
ALTER TABLE notices NO FORCE ROW LEVEL SECURITY;
ALTER TABLE payments NO FORCE ROW LEVEL SECURITY;
UPDATE notices n SET state = 'new', outcome = NULL, ended_at = NULL, attempts = 0, due_at = now()
    WHERE n.door = 'momo' AND n.state = 'done' AND n.outcome = 'names no request of this account'
    AND n.received_at > now() - interval '31 days' AND n.named_ref IS NOT NULL
    AND NOT EXISTS (SELECT FROM payments p WHERE p.ref = n.named_ref);
ALTER TABLE payments FORCE ROW LEVEL SECURITY;
ALTER TABLE notices FORCE ROW LEVEL SECURITY;
