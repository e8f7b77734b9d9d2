"""The SMS routes we send through: one class each."""

from gateway.sms.africastalking import AfricasTalking
from gateway.sms.message import SendsSms

SMS: dict[str, type[SendsSms]] = {"africastalking": AfricasTalking}
