"""`python -m sandbox.talk [NUMBER [CODE]] [--sandbox URL]`: a phone in the terminal."""

import argparse
import sys
from typing import Any

import httpx

from sandbox import http_client

DEFAULT_URL = "http://127.0.0.1:8001"
HELP = "(une réponse + Entrée ; `!` raccroche ; `*…#` compose ; vide : SMS et demandes ; `q` quitte)"


class Handset:
    """A phone that uses only the control API, as the phone page does."""

    def __init__(self, url: str, number: str) -> None:
        self._http = http_client.client(base_url=url, timeout=15)
        self._phone = f"/phones/{number}"
        self._read = 0
        self.open = False

    def ask(self, path: str, payload: dict[str, Any] | None = None) -> Any:
        """Returns the JSON answer. Prints a refusal and returns None."""
        answer = self._http.request("GET" if payload is None else "POST", self._phone + path, json=payload)
        result = answer.json()
        if answer.is_error:
            say(f"  ! {result.get('error')} ({result.get('do')})")
            return None
        return result

    def act(self, path: str, payload: dict[str, Any]) -> None:
        """Dials, replies or hangs up, and prints the screen."""
        session = self.ask(path, payload)
        if session is None:
            return
        self.open = bool(session["open"])
        text = session.get("error") or session["screen"] or "(session fermée)"
        width = max(20, *(len(line) for line in text.splitlines()))
        say("  ┌" + "─" * (width + 2) + "┐")
        for line in text.splitlines():
            say(f"  │ {line.ljust(width)} │")
        say("  └" + "─" * (width + 2) + "┘" + ("" if self.open else "  fin"))

    def show_new_sms(self) -> None:
        messages = self.ask("/sms") or []
        for message in messages[self._read :]:
            say(f"  ✉ {message['from']} : {message['text']}")
        self._read = len(messages)

    def show_prompts(self, ask_line: Any) -> None:
        """Asks about each waiting payment: o approves, n declines, anything else leaves it."""
        for prompt in self.ask("/prompts") or []:
            to = prompt["from"] or "un marchand"
            say(f"  $ {prompt['operator']} : payer {prompt['amount']} {prompt['currency']} à {to} ? (o/n)")
            answer = {"o": "approve", "n": "decline"}.get((ask_line() or "").strip().lower())
            if answer and (result := self.ask(f"/prompts/{prompt['id']}", {"answer": answer})):
                say(f"  $ {result['status']}")


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def ask_line() -> str | None:
    """Returns one line from stdin, None at its end."""
    if sys.stdin.isatty():
        sys.stdout.write("> ")
        sys.stdout.flush()
    line = sys.stdin.readline()
    return line.rstrip("\n") if line else None


def talk(handset: Handset, code: str) -> None:
    """Dials `code` and reads answers until `q` or the end of stdin, then hangs up."""
    handset.act("/dial", {"code": code})
    while True:
        handset.show_new_sms()
        if not handset.open:
            handset.show_prompts(ask_line)
        line = ask_line()
        if line is None or line.strip() == "q":
            break
        if line.strip() == "!":
            handset.act("/hangup", {})
        elif line.startswith("*") and line.endswith("#"):
            handset.act("/dial", {"code": line})
        elif line and handset.open:
            handset.act("/reply", {"input": line})
        elif line:
            say(f"  {HELP}")
    if handset.open:
        handset.act("/hangup", {})


def main(arguments: list[str]) -> int:
    """Returns 0, or 1 when the sandbox does not answer."""
    parser = argparse.ArgumentParser(
        prog="python -m sandbox.talk", description="Un téléphone dans le terminal."
    )
    parser.add_argument(
        "number", nargs="?", default="+221770000001", help="the phone's number (default: %(default)s)"
    )
    parser.add_argument("code", nargs="?", help="the code to dial (default: the first one the sandbox knows)")
    parser.add_argument("--sandbox", default=DEFAULT_URL, help="where the sandbox is (default: %(default)s)")
    options = parser.parse_args(arguments)
    try:
        codes = httpx.get(f"{options.sandbox}/codes", trust_env=False).json()["codes"]
        say(f"{options.number} · codes : {', '.join(code['code'] for code in codes)}\n{HELP}")
        talk(Handset(options.sandbox, options.number), options.code or codes[0]["code"])
    except httpx.HTTPError as error:
        failure = f"the sandbox at {options.sandbox} does not answer ({type(error).__name__})"
        sys.stderr.write(f"{failure}; start it with make run\n")
        return 1
    except KeyboardInterrupt:
        say("")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
