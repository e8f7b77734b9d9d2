"""The USSD gateways we speak with: one module each."""

from gateway.ussd import africastalking
from gateway.ussd.call import SpeaksUssd

USSD: dict[str, SpeaksUssd] = {"africastalking": africastalking}
