"""The adapters of USSD gateways: one module each."""

from gateway.ussd import africastalking
from gateway.ussd.call import UssdAdapter

USSD: dict[str, UssdAdapter] = {"africastalking": africastalking}
