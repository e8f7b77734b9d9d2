"""Sending indicators to DHIS2: answers are read, and a token is never sent in clear."""

from typing import Any

import httpx
import pytest

from gateway import dhis2_client
from mutuelle.errors import Declined, Malformed, Unavailable
from tests.gateway.conftest import Stranger

PATH = "/api/dataValueSets"
VALUES = {
    "dataSet": "MutMonthly1",
    "dataValues": [{"dataElement": "De", "categoryOptionCombo": "Cc", "value": "7"}],
}


def summary(imported: int = 1, ignored: int = 0, status: str = "SUCCESS", **more: Any) -> dict[str, Any]:
    return {
        "status": status,
        "importCount": {"imported": imported, "updated": 0, "ignored": ignored, "deleted": 0},
        **more,
    }


def send(stranger: Stranger, http: httpx.Client, *answer: Any) -> dhis2_client.ImportSummary:
    stranger.answers["POST", PATH] = answer if len(answer) > 1 else answer[0]
    return dhis2_client.send(http, dhis2_client.address(f"{stranger.url}/"), "d2pat_secret", VALUES, "UID")


@pytest.mark.parametrize("payload", [summary(), {"httpStatus": "OK", "status": "OK", "response": summary()}])
def test_the_counts_are_read_wrapped_or_alone(
    stranger: Stranger, http: httpx.Client, payload: dict[str, Any]
) -> None:
    result = send(stranger, http, 200, payload)
    assert (result.whole, result.counts) == (True, {"imported": 1, "updated": 0, "ignored": 0, "deleted": 0})
    (request,) = stranger.requests_to("POST", PATH)
    assert (request.json, request.query) == (VALUES, {"idScheme": "UID"})
    assert request.headers["authorization"] == "ApiToken d2pat_secret"


def test_a_conflict_is_reported_and_not_counted_as_imported(stranger: Stranger, http: httpx.Client) -> None:
    why = {"object": "202612", "value": "Period is after latest open future period", "errorCode": "E7641"}
    result = send(
        stranger, http, 409, {"status": "WARNING", "response": summary(0, 1, "WARNING", conflicts=[why])}
    )
    assert not result.whole
    assert result.conflicts == ("Period is after latest open future period",)


@pytest.mark.parametrize("ignored", [summary(3, 1), summary(0, 0, "ERROR")])
def test_what_was_ignored_or_failed_is_not_whole(
    stranger: Stranger, http: httpx.Client, ignored: dict[str, Any]
) -> None:
    assert not send(stranger, http, 200, ignored).whole


@pytest.mark.parametrize(
    ("status", "payload", "error"),
    [(401, {"message": "Unauthorized"}, Declined), (500, {"message": "java.lang"}, Declined),
     (200, b"<html>", Unavailable), (200, {"importCount": {"imported": "many"}}, Declined),
     (404, {"response": "x"}, Declined)],
)  # fmt: skip
def test_an_answer_without_counts_is_an_error_that_shows_no_token(
    stranger: Stranger, http: httpx.Client, status: int, payload: Any, error: type[Exception]
) -> None:
    with pytest.raises(error) as raised:
        send(stranger, http, status, payload)
    assert "d2pat" not in str(raised.value)


def test_a_dhis2_that_is_away_is_unavailable(unreachable_url: str, http: httpx.Client) -> None:
    with pytest.raises(Unavailable):
        dhis2_client.send(http, dhis2_client.address(unreachable_url), "d2pat_secret", VALUES, "UID")


@pytest.mark.parametrize(
    "base_url", ["http://dhis2.example.org", "dhis2.example.org", "ftp://x", "http://127.0.0.1.example.org"]
)
def test_a_token_does_not_travel_in_the_open(base_url: str) -> None:
    with pytest.raises(Malformed):
        dhis2_client.address(base_url)
