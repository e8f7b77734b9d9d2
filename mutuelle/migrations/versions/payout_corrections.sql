-- The noted transaction of a payout may turn out to be a reversal that is booked already. `from_excess` units of the payout
-- are then that reversal's excess.
ALTER TABLE refunds
    ADD COLUMN from_excess bigint NOT NULL DEFAULT 0 CHECK (from_excess >= 0),
    ADD CONSTRAINT parts_of_payout CHECK (taken_back + from_excess <= amount),
    ADD CONSTRAINT excess_of_payout CHECK (from_excess = 0 OR (status = 'paid' AND seen_at IS NOT NULL));
GRANT UPDATE (taken_back, from_excess, ended_at) ON refunds TO mutuelle_console;
