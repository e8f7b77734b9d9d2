"""A phone in the terminal: `python -m sandbox.talk [NUMBER [CODE]] [--sandbox URL]`, digits on stdin, screens
on stdout."""

import argparse
import sys
from typing import Any

import httpx

DEFAULT_URL = "http://127.0.0.1:8001"
HELP = "(une réponse + Entrée ; `!` raccroche ; `*…#` compose ; vide : SMS et demandes ; `q` quitte)"


class Handset:
    """Speaks only to the control API, as the phone page does."""

    def __init__(self, url: str, number: str) -> None:
        self._http = httpx.Client(base_url=url, timeout=15, trust_env=False)
        self._phone = f"/phones/{number}"
        self._read = 0
        self.open = False

    def ask(self, path: str, said: dict[str, Any] | None = None) -> Any:
        """The JSON answer; a refusal is shown to the person and becomes None."""
        answer = self._http.request("GET" if said is None else "POST", self._phone + path, json=said)
        told = answer.json()
        if answer.is_error:
            say(f"  ! {told.get('error')} ({told.get('do')})")
            return None
        return told

    def act(self, path: str, said: dict[str, Any]) -> None:
        """Dial, reply or hang up, and show the screen."""
        seen = self.ask(path, said)
        if seen is None:
            return
        self.open = bool(seen["open"])
        text = seen.get("error") or seen["screen"] or "(session fermée)"
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
        """Put each waiting payment to the person: o approves, n declines, anything else leaves it."""
        for prompt in self.ask("/prompts") or []:
            to = prompt["from"] or "un marchand"
            say(f"  $ {prompt['operator']} : payer {prompt['amount']} {prompt['currency']} à {to} ? (o/n)")
            answer = {"o": "approve", "n": "decline"}.get((ask_line() or "").strip().lower())
            if answer and (told := self.ask(f"/prompts/{prompt['id']}", {"answer": answer})):
                say(f"  $ {told['status']}")


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def ask_line() -> str | None:
    """One line from stdin, None at its end."""
    if sys.stdin.isatty():
        sys.stdout.write("> ")
        sys.stdout.flush()
    line = sys.stdin.readline()
    return line.rstrip("\n") if line else None


def talk(handset: Handset, code: str) -> None:
    """Go on until `q` or the end of stdin; then hang up."""
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
    """Exit 0, or 1 when the sandbox does not answer."""
    parser = argparse.ArgumentParser(
        prog="python -m sandbox.talk", description="Un téléphone dans le terminal."
    )
    parser.add_argument(
        "number", nargs="?", default="+221770000001", help="the phone's number (default: %(default)s)"
    )
    parser.add_argument("code", nargs="?", help="the code to dial (default: the first one the sandbox knows)")
    parser.add_argument("--sandbox", default=DEFAULT_URL, help="where the sandbox is (default: %(default)s)")
    given = parser.parse_args(arguments)
    try:
        codes = httpx.get(f"{given.sandbox}/codes", trust_env=False).json()["codes"]
        say(f"{given.number} · codes : {', '.join(one['code'] for one in codes)}\n{HELP}")
        talk(Handset(given.sandbox, given.number), given.code or codes[0]["code"])
    except httpx.HTTPError as error:
        sys.stderr.write(
            f"the sandbox at {given.sandbox} does not answer ({type(error).__name__}); start it with make run\n"
        )
        return 1
    except KeyboardInterrupt:
        say("")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
