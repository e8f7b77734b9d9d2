"""Tests the sandbox with two public clients of MTN MoMo Collections, and compares them with our adapter.

They disagree about one thing: in a status answer `mtn-momo-client` 2.0.1 takes a refusal's reason as a bare
word (and as an object), `mtnmomo-py` 0.1.0 as an object only. MTN is known to send both, so the sandbox can,
and our adapter reads both.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID, uuid4

import httpx
import pytest
from momo_api.client import MomoApi
from momo_api.exceptions import MomoException
from momo_api.models.transaction import Transaction
from momo_api.products.collection import CollectionApi
from mtnmomo import MoMoClient, MoMoConfig, ProductCredentials
from mtnmomo.errors import MoMoAuthenticationError, MoMoConflictError, MoMoNotFoundError, MoMoServerError

from gateway.momo.mtn import Mtn
from mutuelle.money import Money
from mutuelle.payments.operators import Status
from tests.sandbox.world import MUTESI, Product, Sandbox

WORDS, OBJECTS = "RW-1", "RW-2"  # the accounts, by the form of their reasons
PAYER = MUTESI.removeprefix("+")


def credentials(account: str) -> dict[str, str]:
    return {"api_user": f"user-{account}", "api_key": f"key-{account}", "subscription_key": f"sub-{account}"}


@pytest.fixture
def typed(sandbox: Sandbox) -> Iterator[MoMoClient]:
    """mtnmomo-py, on the account whose reasons are objects."""
    config = MoMoConfig(
        collection=ProductCredentials(**credentials(OBJECTS)),
        target_environment="mtnrwanda",
        base_url=f"{sandbox.running.url}/mtn",
    )
    with MoMoClient(config) as client:
        yield client


@pytest.fixture
def plain(sandbox: Sandbox) -> Iterator[CollectionApi]:
    """mtn-momo-client, on the other account. It does not know Rwanda, so its requests are rewritten."""

    def rewrite(request: httpx.Request) -> None:
        request.url = httpx.URL(f"{sandbox.running.url}/mtn{request.url.path}")
        request.headers["Host"] = request.url.netloc.decode()
        request.headers["X-Target-Environment"] = "mtnrwanda"

    with httpx.Client(trust_env=False, event_hooks={"request": [rewrite]}) as http:
        options = credentials(WORDS) | {"environment": "mtnbenin"}
        yield MomoApi.collection(options, http_client=http)


def ours(sandbox: Sandbox, account: str) -> Mtn:
    return Mtn(f"{sandbox.running.url}/mtn", "mtnrwanda", credentials(account))


def answer(sandbox: Sandbox, reference: str, choice: str) -> None:
    sandbox.post(f"/phones/{MUTESI}/prompts/{reference}", {"answer": choice})


def payment(reference: str, amount: str = "3000") -> dict[str, object]:
    payer = {"partyIdType": "MSISDN", "partyId": PAYER}
    return {
        "amount": amount,
        "currency": "RWF",
        "externalId": reference,
        "payer": payer,
        "payerMessage": "",
        "payeeNote": "",
    }


def test_the_typed_client_asks_and_reads_a_payment(typed: MoMoClient, sandbox: Sandbox) -> None:
    reference = str(uuid4())
    assert typed.collection.request_to_pay(payment(reference), reference_id=reference) == reference
    assert typed.collection.get_request_to_pay_status(reference).status == "PENDING"
    answer(sandbox, reference, "approve")
    result = typed.collection.get_request_to_pay_status(reference)
    assert (result.status, result.amount, result.currency, result.external_id) == (
        "SUCCESSFUL",
        "3000",
        "RWF",
        reference,
    )
    assert result.payer.party_id == PAYER
    proof = ours(sandbox, OBJECTS).fetch_status(UUID(reference), None)
    assert proof
    assert proof.movement
    assert (proof.movement.transaction, proof.movement.payer) == (result.financial_transaction_id, MUTESI)
    assert typed.collection.get_account_balance().available_balance == "3000"


def test_the_plain_client_asks_and_reads_a_payment(plain: CollectionApi, sandbox: Sandbox) -> None:
    reference = str(uuid4())
    plain.quick_pay("2000", PAYER, reference, "RWF", reference_id=reference)
    assert plain.get_payment_status(reference).is_pending()
    answer(sandbox, reference, "approve")
    result = plain.get_payment_status(reference)
    assert result.is_successful()
    proof = ours(sandbox, WORDS).fetch_status(UUID(reference), None)
    assert proof
    assert proof.movement
    assert (result.financial_transaction_id, result.payer) == (proof.movement.transaction, PAYER)
    assert plain.get_balance().available_balance == "2000"


@pytest.mark.parametrize(
    ("choice", "reason", "status"),
    [
        ("decline", "APPROVAL_REJECTED", Status.FAILED),
        ("approve", "NOT_ENOUGH_FUNDS", Status.FAILED),
        ("", "COULD_NOT_PERFORM_TRANSACTION", Status.EXPIRED),
    ],
)
def test_a_refusal_reads_the_same_in_both_forms(
    typed: MoMoClient, plain: CollectionApi, sandbox: Sandbox, choice: str, reason: str, status: Status
) -> None:
    """The payer declines, has too little, or does not answer for five minutes: three clients agree."""
    text_reference, object_reference = str(uuid4()), str(uuid4())
    plain.quick_pay("2000", PAYER, text_reference, "RWF", reference_id=text_reference)
    typed.collection.request_to_pay(payment(object_reference), reference_id=object_reference)
    if reason == "NOT_ENOUGH_FUNDS":
        sandbox.post(f"/phones/{MUTESI}/wallet", {"balance": 10})
    for reference in (text_reference, object_reference):
        if choice:
            answer(sandbox, reference, choice)
    if not choice:
        sandbox.pass_time(301)
    first, second = (
        plain.get_payment_status(text_reference),
        typed.collection.get_request_to_pay_status(object_reference),
    )
    assert (first.is_failed(), first.reason and first.reason.code) == (True, reason)
    assert (second.status, second.reason and second.reason.code) == ("FAILED", reason)
    for account, reference in ((WORDS, text_reference), (OBJECTS, object_reference)):
        result = ours(sandbox, account).fetch_status(UUID(reference), None)
        assert result
        assert (result.status, result.reason) == (status, reason)


def test_a_used_reference_conflicts_and_ours_takes_it_as_accepted(
    typed: MoMoClient, sandbox: Sandbox
) -> None:
    reference = str(uuid4())
    typed.collection.request_to_pay(payment(reference), reference_id=reference)
    with pytest.raises(MoMoConflictError) as conflict:
        typed.collection.request_to_pay(payment(reference), reference_id=reference)
    assert conflict.value.code == "RESOURCE_ALREADY_EXIST"
    result = ours(sandbox, OBJECTS).request_payment(
        UUID(reference), MUTESI, Money(3000, "RWF"), "http://127.0.0.1/callback"
    )
    assert result.status is Status.PENDING
    assert len(sandbox.get(f"/phones/{MUTESI}/prompts")) == 1


def test_what_ours_asks_both_read(
    typed: MoMoClient, plain: CollectionApi, sandbox: Sandbox, product: Product
) -> None:
    for account, read in (
        (OBJECTS, typed.collection.get_request_to_pay_status),
        (WORDS, plain.get_payment_status),
    ):
        ref = uuid4()
        ours(sandbox, account).request_payment(
            ref, MUTESI, Money(1000, "RWF"), f"{product.url}/called/{account}"
        )
        assert (read(str(ref)).status, read(str(ref)).external_id) == ("PENDING", str(ref))
        answer(sandbox, str(ref), "decline")
        (callback,) = product.wait(f"/called/{account}")
        # A callback of MTN is not signed: its credentials are not read, so None does.
        hint = Mtn.read_callback(callback.body, callback.headers, {}, None)  # type: ignore[arg-type]
        assert hint.our_ref == str(ref)


def test_every_error_is_one_they_know(typed: MoMoClient, plain: CollectionApi, sandbox: Sandbox) -> None:
    unused_reference = str(uuid4())
    with pytest.raises(MoMoNotFoundError):
        typed.collection.get_request_to_pay_status(unused_reference)
    with pytest.raises(MomoException):
        plain.get_payment_status(unused_reference)
    with pytest.raises(MoMoServerError) as currency:
        typed.collection.request_to_pay(
            payment(unused_reference) | {"currency": "XOF"}, reference_id=unused_reference
        )
    assert currency.value.code == "INVALID_CURRENCY"
    wrong = MoMoConfig(
        collection=ProductCredentials("sub-RW-2", "user-RW-2", "another"),
        target_environment="mtnrwanda",
        base_url=f"{sandbox.running.url}/mtn",
    )
    with MoMoClient(wrong) as stranger, pytest.raises(MoMoAuthenticationError):
        stranger.collection.get_account_balance()


RECORDED = sorted(
    (Path(__file__).parents[2] / "callbacks" / "mtn").glob("*.json"), key=lambda path: path.stem
)


@pytest.mark.parametrize("path", RECORDED, ids=lambda path: path.stem)
def test_a_recorded_status_means_the_same_to_both(path: Path, product: Product) -> None:
    """Every status MTN is known to send, read by the public client and by our adapter."""
    theirs = Transaction.parse(json.loads(path.read_bytes()))
    product.will_answer(
        "/collection/token/",
        json.dumps({"access_token": "t", "token_type": "access_token", "expires_in": 3600}),
    )
    product.will_answer(f"/collection/v1_0/requesttopay/{theirs.external_id}", path.read_text("utf-8"))
    result = Mtn(product.url, "mtnrwanda", credentials(WORDS)).fetch_status(UUID(theirs.external_id), None)
    assert result
    assert theirs.is_successful() is (result.status is Status.CONFIRMED)
    assert theirs.is_failed() is (result.status in (Status.FAILED, Status.EXPIRED))
    assert (theirs.reason and theirs.reason.code) == result.reason
    if result.movement:
        assert (theirs.amount, theirs.currency) == (
            str(result.movement.amount.units),
            result.movement.amount.currency,
        )
