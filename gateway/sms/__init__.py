"""The SMS routes: one adapter class each."""

from gateway.sms.africastalking import AfricasTalking
from gateway.sms.message import SendsSms

SMS: dict[str, type[SendsSms]] = {"africastalking": AfricasTalking}
