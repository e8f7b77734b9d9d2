"""Renders the page that `make run` prints: addresses and what to try, in French, then in English."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

FRENCH = {
    "ready": "La passerelle est prête.",
    "phone": "Téléphone de démonstration",
    "console": "Espace de gestion",
    "login": "identifiant {login}, mot de passe {password}",
    "try": "À essayer",
    "dial": "Sur le téléphone, composez {codes} et suivez le menu.",
    "pay": "Approuvez le paiement sur le même téléphone ; le reçu arrive par SMS.",
    "talk": "Un téléphone en mode texte, dans un autre terminal : make talk",
    "stop": "Ctrl-C arrête tout et garde les données ; make fresh les oublie.",
    "file": "Toutes les adresses : {file}",
}
ENGLISH = {
    "ready": "The gateway is ready.",
    "phone": "A telephone to try",
    "console": "Management pages",
    "login": "login {login}, password {password}",
    "try": "What to try",
    "dial": "On the telephone, dial {codes} and follow the menu.",
    "pay": "Approve the payment on the same phone; the receipt comes by SMS.",
    "talk": "A telephone in text mode, in another terminal: make talk",
    "stop": "Ctrl-C stops everything and keeps the data; make fresh forgets them.",
    "file": "All addresses: {file}",
}


def of(endpoints: Mapping[str, Any], state_dir: Path) -> str:
    """Renders the page; leaves out what has no address."""
    return "\n".join(_half(words, endpoints, state_dir) for words in (FRENCH, ENGLISH))


def _half(words: Mapping[str, str], endpoints: Mapping[str, Any], state_dir: Path) -> str:
    lines = ["", words["ready"], f"  {words['phone']:<28}{endpoints['sandbox']}/"]
    console = endpoints.get("console")
    if console:
        managers = endpoints.get("managers") or [console]
        lines += [f"  {words['console']:<28}{console['url']}"]
        lines += [
            f"  {manager.get('mutuelle', ''):<28}{words['login'].format(**manager)}" for manager in managers
        ]
    codes = sorted(
        code for gateway in endpoints.get("ussd", {}).values() for code in gateway.get("service_codes", {})
    )
    lines += [words["try"]]
    if codes:
        lines += [f"  - {words['dial'].format(codes=', '.join(codes))}", f"  - {words['pay']}"]
    lines += [f"  - {words['talk']}", words["stop"], words["file"].format(file=state_dir / "endpoints.json")]
    return "\n".join(lines)
