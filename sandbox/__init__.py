"""The pretend outside world: phones, an aggregator and operators that speak the true wire formats over HTTP.

It imports nothing of the product and shares no code with it: it is a second, independent reading of the same
documents. Start it with `python -m sandbox CONFIG.json` (`settings.py` says what CONFIG.json holds); `python
-m sandbox.talk` is a phone in the terminal, `/` a phone in the browser. The control API, JSON in and out
(errors: `{"error","do"}`):

    POST /phones/{msisdn}/dial {"code","gateway"} · /reply {"input"} · /hangup    ->
    {"session","screen","open"[,"error"]} GET  /phones/{msisdn}                       the same, with "phone"
    and "balance" GET  /phones/{msisdn}/sms                   [{"id","from","text","at"}]; POST {"to","text"}:
    the phone writes to us GET  /phones/{msisdn}/prompts
    [{"id","kind","operator","amount","currency","from","note","url"}] POST /phones/{msisdn}/prompts/{id}
    {"answer": "approve" | "decline" | "ignore"} -> {"id","status"} POST /phones/{msisdn}/wallet
    {"balance"} POST /operators/{op}/pay {"from","to","amount"} · /reverse {"transaction"}; GET
    /statement?account=&date= GET, POST /faults, /clock {"shift_s"};  POST /sms/next
    {"statusCode","status","reports","failureReason","count"} GET  /truth?operator=&account=&date= · /outgoing
    (callbacks on their way) · /faults/struck · /codes · /health

With `"virtual": {"now","seed"}` in CONFIG.json the world has no time and no threads of its own: it is told
`POST /clock {"now"}`, its made-up names are drawn from the seed, and its teller carries the callbacks: `POST
/outgoing/next {"until", "answered"}` goes on to the next one that is due by `until` (its answer's HTTP status
comes with the next call).

Assumed where no document says: a dialled shortcut arrives as the first `text`; MTN's statement layout; what
names the original of a Wave reversal line (`payment_reason`); a declined Wave link stays open until it
expires; MTN answers 500 INVALID_CURRENCY; Wave ignores Idempotency-Key on checkout. MTN's token endpoint
draws no fault; every other request to an operator or to the aggregator does.
"""
