"""Tests the control API, the command line, the phone in the terminal and the phone page."""

import importlib
import io
import json
import pkgutil
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

import sandbox as package
from sandbox import __main__, talk
from sandbox.settings import BadConfig, from_json
from tests.sandbox.world import AWA, Answer, Product, ReceivedRequest, Sandbox, config

MODULES = [module.name for module in pkgutil.iter_modules(package.__path__) if module.name != "__main__"]


@pytest.mark.parametrize("name", MODULES)
def test_nothing_of_ours_is_imported(name: str) -> None:
    path = Path(importlib.import_module(f"sandbox.{name}").__file__ or "")
    lines = [line.split() for line in path.read_text().splitlines() if line.startswith(("import ", "from "))]
    roots = {line[1].partition(".")[0] for line in lines}
    assert not roots & {"config", "mutuelle", "menus", "gateway", "workers", "proving"}


def test_the_clock_can_be_moved(sandbox: Sandbox) -> None:
    before = sandbox.get("/clock")["now"]
    result = sandbox.post("/clock", {"shift_s": 86_400})
    assert result["shift_s"] == 86_400
    assert result["now"] > before
    assert sandbox.get("/health")["ok"] is True
    assert sandbox.post("/clock", {"shift_s": "tomorrow"}, status=400)["do"]


@pytest.mark.parametrize(
    ("method", "path", "payload", "status"),
    [
        ("POST", f"/phones/{AWA}/prompts/none", {"answer": "approve"}, 404),
        ("POST", f"/phones/{AWA}/prompts/cos-none", {"answer": "approve"}, 404),
        ("POST", f"/phones/{AWA}/prompts/none", {"answer": "maybe"}, 400),
        ("POST", f"/phones/{AWA}/wallet", {"balance": -1}, 400),
        ("POST", f"/phones/{AWA}/wallet", {"balance": 1.5}, 400),
        ("POST", "/operators/orange/pay", {}, 404),
        ("POST", "/operators/wave/reverse", {"transaction": "T_NONE"}, 404),
        ("POST", "/operators/wave/pay", {"from": AWA, "to": "SN-1", "amount": "ten"}, 400),
        ("GET", "/operators/wave/statement?account=SN-1&date=yesterday", None, 400),
        ("POST", "/sms/next", {"reports": "Sent"}, 400),
        ("GET", "/nothing", None, 404),
        ("GET", "/faults/", None, 404),
    ],
)
def test_a_refusal_names_what_was_wrong_and_what_to_do(
    sandbox: Sandbox, method: str, path: str, payload: Any, status: int
) -> None:
    answer = sandbox.http.request(method, path, json=payload)
    assert answer.status_code == status
    assert set(answer.json()) == {"error", "do"}


def test_an_enormous_body_is_413(sandbox: Sandbox) -> None:
    answer = sandbox.http.post(f"/phones/{AWA}/dial", content=b" " * (64 * 1024 + 1))
    assert answer.status_code == 413


def test_codes_and_phones_are_listed_for_the_page(start: Any) -> None:
    sandbox = start(phones=[{"number": AWA, "label": "Awa"}])
    result = sandbox.get("/codes")
    assert result["codes"][0] == {"code": "*384*55#", "mutuelle": "SN-1", "country": "SN", "operators": []}
    assert result["phones"] == [{"number": AWA, "label": "Awa"}]


def test_a_configuration_that_lacks_something_names_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    values = config("http://127.0.0.1:1", tmp_path / "j")
    del values["africastalking"]["api_key"]
    with pytest.raises(BadConfig, match="api_key"):
        from_json(values)
    path = tmp_path / "config.json"
    path.write_text(json.dumps(values))
    assert __main__.main([str(path)]) == 2
    assert "api_key" in capsys.readouterr().err
    assert __main__.main([]) == 2
    assert "usage" in capsys.readouterr().err


def test_a_phone_in_the_terminal(
    sandbox: Sandbox, product: Product, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    product.answers["/ussd/sn"] = lambda request: Answer(
        "END Merci" if request.form["text"] else "CON Bienvenue\n1. Payer"
    )
    url = sandbox.running.url
    monkeypatch.setattr(sys, "stdin", io.StringIO("1\nq\n"))
    assert talk.main([AWA, "*384*55#", "--sandbox", url]) == 0
    shown = capsys.readouterr().out
    assert "│ Bienvenue" in shown
    assert "│ 1. Payer" in shown
    assert "│ Merci" in shown
    assert talk.main([AWA, "--sandbox", "http://127.0.0.1:9"]) == 1


def test_the_page_needs_nothing_from_elsewhere(sandbox: Sandbox) -> None:
    for path in ("/", "/static/phone.css", "/static/phone.js"):
        answer = sandbox.http.get(path)
        assert answer.status_code == 200
        assert "http://" not in answer.text
        assert "https://" not in answer.text


@pytest.mark.browser
def test_a_payment_from_the_browser_at_360_pixels(sandbox: Sandbox, product: Product, browser: Any) -> None:
    def turn(request: ReceivedRequest) -> Answer:
        if not request.form["text"]:
            return Answer("CON Bienvenue\n1. Payer")
        session = {
            "amount": "3500",
            "currency": "XOF",
            "success_url": "https://x.org",
            "error_url": "https://x.org",
        }
        headers = {"Authorization": "Bearer wave_SN-1"}
        body = session | {"restrict_payer_mobile": request.form["phoneNumber"]}
        httpx.post(
            f"{sandbox.running.url}/wave/v1/checkout/sessions", json=body, headers=headers, trust_env=False
        )
        return Answer("END Ouvrez le lien")

    product.answers["/ussd/sn"] = turn
    page = browser.new_page(viewport={"width": 360, "height": 740})
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.goto(sandbox.running.url)
    page.locator("#codes button").first.click()
    page.get_by_text("Bienvenue").wait_for()
    page.locator("#pad button").first.click()
    page.get_by_role("button", name="Envoyer").first.click()
    page.get_by_text("Ouvrez le lien").wait_for()
    page.get_by_role("button", name="Approuver").click()
    page.locator("#truth").get_by_text("3 500 FCFA").wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    page.close()
    assert wrong == []
    assert sandbox.get("/truth")[0]["payer"] == AWA
