-- What is evidence, and stays in its table however old it is. `moment` is the moment before which a run removes rows: a case
-- or an appeal that was closed after it counts as open, so that its evidence stays for as long after the end.
--
--   a household  a case about it or one of its bills, or an appeal
--   a payment    no end yet, a proof that could not be read, a case about it or its tasks, its household, its receipt
--   a receipt    money in suspense, an open refund, a case about it or its transaction, its households, a subsidy claim
--                that is not paid or cancelled and asks for a bill on which its money is
--   a message    a case about it or its tasks, its household, the request or the receipt that it tells about
--   a task       its payment or its message
--   a notice     a case about it or its account, the payment or the receipt that it names; without our reference: money of
--                its account and days that nobody could attribute, read, refund or explain yet
--   a session    a payment that it asked for, the household of its phone
--   the trail    what it is about: a household, payment, receipt, claim, or the subject of any case
--
-- These functions are called by the functions of retention.sql alone, as mutuelle_resolver.
CREATE FUNCTION id_of(subject text, kind text) RETURNS uuid LANGUAGE sql IMMUTABLE AS $$
    SELECT substring(subject FROM '^' || kind || ':([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})$')::uuid $$;

-- Our reference in the text that an operator shows, if it is one.
CREATE FUNCTION reference_of(written text) RETURNS uuid LANGUAGE sql IMMUTABLE AS $$
    SELECT substring(lower(written) FROM '^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$')::uuid $$;

CREATE FUNCTION case_stands(of uuid, subjects text[], moment timestamptz) RETURNS boolean LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN EXISTS (SELECT FROM flags f WHERE f.tenant_id = of AND f.subject = ANY(subjects)
        AND (f.closed_at IS NULL OR f.closed_at >= moment));
END $$;

CREATE FUNCTION is_evidence_household(of uuid, household uuid, moment timestamptz) RETURNS boolean LANGUAGE plpgsql STABLE AS $$
BEGIN
    -- Beyond some cases of households, one stands for all others of the mutuelle (`set_aside.py`).
    RETURN case_stands(of, ARRAY['household:' || household, 'mutuelle:' || of || ':households']
            || ARRAY(SELECT 'bill:' || b.id FROM bills b WHERE b.tenant_id = of AND b.household_id = household), moment)
        OR EXISTS (SELECT FROM tickets k WHERE k.tenant_id = of AND k.household_id = household
            AND (k.state = 'open' OR k.answered_at >= moment));
END $$;

CREATE FUNCTION is_open_payment(of uuid, payment uuid, moment timestamptz) RETURNS boolean LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN EXISTS (SELECT FROM payments p WHERE p.tenant_id = of AND p.id = payment
        AND (p.status IN ('requested', 'unknown', 'pending') OR p.unread_proof_at IS NOT NULL
            OR case_stands(of, ARRAY['payment:' || p.ref, 'collect:' || p.id, 'poll:' || p.id], moment)
            OR is_evidence_household(p.household_tenant_id, p.household_id, moment)));
END $$;

CREATE FUNCTION is_evidence_receipt(of uuid, receipt uuid, moment timestamptz) RETURNS boolean LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN EXISTS (SELECT FROM receipts r WHERE r.tenant_id = of AND r.id = receipt
            AND (case_stands(of, ARRAY['receipt:' || r.id, 'transaction:' || r.transaction], moment)
                OR EXISTS (SELECT FROM payments p WHERE p.tenant_id = of AND p.ref = reference_of(r.reference)
                    AND is_open_payment(of, p.id, moment))))
        OR EXISTS (SELECT FROM open_suspense s WHERE s.tenant_id = of AND s.receipt_id = receipt)
        OR EXISTS (SELECT FROM refunds f WHERE f.tenant_id = of AND f.receipt_id = receipt
            AND (f.status IN ('asked', 'approved') OR (f.status = 'paid' AND (f.seen_at IS NULL OR f.seen_at >= moment))))
        OR EXISTS (SELECT FROM allocations a JOIN bill_lines l ON l.tenant_id = a.household_tenant_id AND l.id = a.bill_line_id
            JOIN bill_lines s ON s.tenant_id = l.tenant_id AND s.bill_id = l.bill_id
            JOIN claim_lines c ON c.tenant_id = s.tenant_id AND c.bill_line_id = s.id
            JOIN subsidy_claims k ON k.tenant_id = c.tenant_id AND k.id = c.claim_id
            WHERE a.tenant_id = of AND a.receipt_id = receipt
            AND (k.state NOT IN ('paid', 'cancelled') OR k.ended_at >= moment))
        OR EXISTS (SELECT FROM (SELECT DISTINCT a.household_tenant_id, a.household_id FROM allocations a
                WHERE a.tenant_id = of AND a.receipt_id = receipt AND a.household_id IS NOT NULL) h
            WHERE is_evidence_household(h.household_tenant_id, h.household_id, moment));
END $$;

CREATE FUNCTION is_evidence_payment(of uuid, payment uuid, moment timestamptz) RETURNS boolean LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN is_open_payment(of, payment, moment)
        OR EXISTS (SELECT FROM payments p JOIN receipts r ON r.tenant_id = of AND r.reference = p.ref::text
            WHERE p.tenant_id = of AND p.id = payment AND is_evidence_receipt(of, r.id, moment));
END $$;

-- An SMS that names no transaction is about a request of the month before it.
CREATE FUNCTION is_evidence_message(of uuid, message uuid, moment timestamptz) RETURNS boolean LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN EXISTS (SELECT FROM messages m WHERE m.tenant_id = of AND m.id = message AND (
        case_stands(of, ARRAY['message:' || m.id, 'deliver:' || m.id, 'remind:' || m.id], moment)
        OR (m.household_id IS NOT NULL AND is_evidence_household(of, m.household_id, moment))
        OR EXISTS (SELECT FROM receipts r WHERE r.transaction = m.facts ->> 'transaction' AND r.account_id IN (
                SELECT o.id FROM operator_accounts o JOIN tenants t ON o.tenant_id IN (t.id, t.parent_id) WHERE t.id = of)
            AND is_evidence_receipt(r.tenant_id, r.id, moment))
        OR (m.kind IN ('link', 'failed', 'expired') AND EXISTS (SELECT FROM payments p
            WHERE p.household_tenant_id = of AND p.household_id = m.household_id
            AND p.created_at BETWEEN m.created_at - interval '31 days' AND m.created_at
            AND is_evidence_payment(p.tenant_id, p.id, moment)))));
END $$;

CREATE FUNCTION is_evidence_task(of uuid, kind text, about uuid, moment timestamptz) RETURNS boolean LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN CASE WHEN kind IN ('collect', 'poll') THEN is_evidence_payment(of, about, moment)
        ELSE is_evidence_message(of, about, moment) END;
END $$;

-- The days of each account with money that nobody could attribute, read, refund or explain yet, or that belongs to a household
-- of an appeal or a case. A notice without our reference that came around them may be about that money.
CREATE FUNCTION evidence_days(moment timestamptz) RETURNS TABLE (tenant_id uuid, account_id uuid, moved_at timestamptz)
    LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN QUERY
    WITH standing AS (
        SELECT f.tenant_id, f.subject FROM flags f WHERE f.closed_at IS NULL OR f.closed_at >= moment
    ), homes AS (
        SELECT s.tenant_id, id_of(s.subject, 'household') AS household_id FROM standing s WHERE s.subject LIKE 'household:%'
        UNION SELECT b.tenant_id, b.household_id FROM standing s
            JOIN bills b ON b.tenant_id = s.tenant_id AND b.id = id_of(s.subject, 'bill') WHERE s.subject LIKE 'bill:%'
        UNION SELECT k.tenant_id, k.household_id FROM tickets k WHERE k.state = 'open' OR k.answered_at >= moment
    ), named AS (
        SELECT s.tenant_id, id_of(s.subject, 'receipt') AS id FROM standing s WHERE s.subject LIKE 'receipt:%'
        UNION SELECT s.tenant_id, s.receipt_id FROM open_suspense s
        UNION SELECT f.tenant_id, f.receipt_id FROM refunds f WHERE f.status IN ('asked', 'approved')
            OR (f.status = 'paid' AND (f.seen_at IS NULL OR f.seen_at >= moment))
        UNION SELECT a.tenant_id, a.receipt_id FROM homes h
            JOIN allocations a ON a.household_tenant_id = h.tenant_id AND a.household_id = h.household_id
    )
    SELECT r.tenant_id, r.account_id, r.moved_at FROM named n JOIN receipts r ON r.tenant_id = n.tenant_id AND r.id = n.id
        WHERE NOT EXISTS (SELECT FROM payments p WHERE p.tenant_id = r.tenant_id AND p.ref = reference_of(r.reference))
    UNION SELECT o.tenant_id, o.account_id, o.moved_at FROM standing s
        JOIN outflows o ON o.tenant_id = s.tenant_id AND s.subject = 'transaction:' || o.transaction
    UNION SELECT p.tenant_id, p.account_id, p.day + interval '12 hours' FROM pulls p WHERE p.open_lines <> '{}';
END $$;

-- A request that the books lost is known by its notice alone: as long as a case is about it, even a closed one, it stays.
CREATE FUNCTION is_evidence_notice(of uuid, notice uuid, account uuid, named uuid, received timestamptz, moment timestamptz)
    RETURNS boolean LANGUAGE plpgsql STABLE AS $$
DECLARE payment record; day date := (received AT TIME ZONE 'UTC')::date; about text := 'account:' || account;
BEGIN
    IF case_stands(of, ARRAY['notice:' || notice, about || ':' || (day - 1), about || ':' || day,
            about || ':' || (day + 1)], moment)
        OR EXISTS (SELECT FROM flags f WHERE f.tenant_id = of AND f.subject = about
            AND (f.closed_at IS NULL OR f.closed_at >= moment) AND received >= f.opened_at - interval '26 hours') THEN
        RETURN true;
    END IF;
    IF named IS NULL THEN
        RETURN false;
    END IF;
    SELECT p.tenant_id, p.id INTO payment FROM payments p WHERE p.ref = named;
    IF FOUND THEN
        RETURN is_evidence_payment(payment.tenant_id, payment.id, moment);
    END IF;
    RETURN EXISTS (SELECT FROM flags f WHERE f.tenant_id = of AND f.subject = 'payment:' || named)
        OR EXISTS (SELECT FROM receipts r WHERE r.tenant_id = of AND r.reference = named::text
            AND is_evidence_receipt(r.tenant_id, r.id, moment));
END $$;

CREATE FUNCTION is_evidence_session(gateway uuid, visit uuid, of uuid, phone bytea, moment timestamptz) RETURNS boolean
    LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN EXISTS (SELECT FROM phones p WHERE p.tenant_id = of AND p.blind_index = phone
            AND is_evidence_household(p.tenant_id, p.household_id, moment))
        OR EXISTS (SELECT FROM payments p WHERE p.effect_key = ANY(ARRAY(
                SELECT 'ussd:' || e.session_id || ':' || e.screen || ':' || e.ordinal FROM ussd_effects e
                WHERE e.gateway_id = gateway AND e.session_id = visit))
            AND is_evidence_payment(p.tenant_id, p.id, moment));
END $$;

CREATE FUNCTION is_evidence_entry(of uuid, subject text, moment timestamptz) RETURNS boolean LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN case_stands(of, ARRAY[subject], moment) OR CASE split_part(subject, ':', 1)
        WHEN 'household' THEN is_evidence_household(of, id_of(subject, 'household'), moment)
        WHEN 'receipt' THEN is_evidence_receipt(of, id_of(subject, 'receipt'), moment)
        WHEN 'payment' THEN EXISTS (SELECT FROM payments p WHERE p.ref = id_of(subject, 'payment')
            AND is_evidence_payment(p.tenant_id, p.id, moment))
        WHEN 'claim' THEN EXISTS (SELECT FROM subsidy_claims k WHERE k.tenant_id = of AND k.id = id_of(subject, 'claim')
            AND (k.state NOT IN ('paid', 'cancelled') OR k.ended_at >= moment))
        ELSE false END;
END $$;

-- What they are looked up by.
CREATE INDEX flags_subject ON flags (tenant_id, subject text_pattern_ops);
CREATE INDEX flags_closed ON flags (closed_at) WHERE closed_at IS NOT NULL;
CREATE INDEX phones_index ON phones (tenant_id, blind_index);
CREATE INDEX tickets_household ON tickets (tenant_id, household_id);
CREATE INDEX tickets_answered ON tickets (answered_at) WHERE answered_at IS NOT NULL;
