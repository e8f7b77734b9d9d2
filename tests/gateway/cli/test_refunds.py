"""`mutuelle refunds` says which refunds wait, and which payout the operator showed."""

import json

from tests.gateway.cli.world import Terminal


def test_refunds_are_listed_with_whether_they_were_seen(shell: Terminal) -> None:
    assert shell.run("refunds", "--mutuelle", "SN-TEST").stdout == "no refund was asked\n"
    with shell.database.superuser() as connection:
        connection.execute(
            "INSERT INTO logins (tenant_id, id, login, name, password, active, created_at)"
            " SELECT t.id, gen_random_uuid(), login, login, '', true, now() FROM tenants t,"
            " unnest(ARRAY['first', 'second']) login WHERE t.code = 'SN-TEST'"
        )
        connection.execute(
            "INSERT INTO refunds (tenant_id, id, receipt_id, amount, taken_back, currency,"
            " reason, seen, status, asked_by, asked_at, decided_by, decided_at, transaction,"
            " paid_by, paid_at)"
            " SELECT r.tenant_id, gen_random_uuid(), r.id, 300, 100, r.currency, 'asked', 1,"
            " 'paid', a.id, now(), b.id, now(), 'pt-1', b.id, now() FROM receipts r JOIN logins a"
            " ON a.tenant_id = r.tenant_id AND a.login = 'first' JOIN logins b ON b.tenant_id = r.tenant_id"
            " AND b.login = 'second' WHERE r.transaction = 'T2'"
        )
    try:
        assert shell.run("refunds", "--mutuelle", "SN-TEST").stdout == "paid, not seen  200  XOF  T2  pt-1\n"
        (row,) = shell.json("refunds", "--mutuelle", "SN-TEST")
        assert (row["amount"], row["left"], row["status"]) == (300, 200, "paid, not seen")
        totals = json.loads(shell.run("verify", "--json").stdout)
        assert totals["refunds"] == {"to_pay": 0, "not_seen": 1}
    finally:
        with shell.database.superuser() as connection:
            connection.execute("DELETE FROM refunds")
            connection.execute("DELETE FROM logins")
