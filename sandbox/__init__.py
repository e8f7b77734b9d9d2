"""Simulates the outside world: phones, an SMS and USSD aggregator, and operators, in their real wire formats.

It imports nothing of the product and shares no code with it: it is a second, independent reading of the same
documents. Start it with `python -m sandbox CONFIG.json` (`settings.py` describes CONFIG.json). `python -m
sandbox.talk` is a phone in the terminal, `/` a phone in the browser. The control API takes and returns JSON
(errors: `{"error","do"}`):

    POST /phones/{msisdn}/dial {"code","gateway"} · /reply {"input"} · /hangup
                                         -> {"session","screen","open"[,"error"]}
    GET  /phones/{msisdn}                the same, with "phone" and "balance"
    GET  /phones/{msisdn}/sms            -> [{"id","from","text","at"}]
    POST /phones/{msisdn}/sms {"to","text"}             the phone sends an SMS to the product
    GET  /phones/{msisdn}/prompts
                               -> [{"id","kind","operator","amount","currency","from","note","url"}]
    POST /phones/{msisdn}/prompts/{id} {"answer": "approve" | "decline" | "ignore"} -> {"id","status"}
    POST /phones/{msisdn}/wallet {"balance"}
    POST /operators/{op}/pay {"from","to","amount"} · /payout {"from","to","amount"}
    POST /operators/{op}/reverse {"transaction"}
    GET  /operators/{op}/statement?account=&date=
    GET, POST /faults · /clock {"shift_s"}
    POST /sms/next {"statusCode","status","reports","failureReason","count"}
    GET  /truth?operator=&account=&date= · /outgoing (callbacks not yet sent)
    GET  /faults/struck · /codes · /health

With `"virtual": {"now","seed"}` in CONFIG.json the sandbox has no clock and no threads of its own. The caller
sets the time with `POST /clock {"now"}`, random names come from the seed, and the caller delivers the
callbacks: `POST /outgoing/next {"until", "answered"}` moves the clock to the next callback due by `until` and
returns it; `answered` is the HTTP status that the callback before it got.

Assumed where no document says: a dialled shortcut arrives as the first `text`; MTN's statement layout; what
names the original of a Wave reversal line (`payment_reason`); a declined Wave link stays open until it
expires; MTN answers 500 INVALID_CURRENCY; Wave ignores Idempotency-Key on checkout. MTN's token endpoint
draws no fault; every other request to an operator or to the aggregator does.
"""
