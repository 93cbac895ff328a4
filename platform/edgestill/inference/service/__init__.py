"""The half of joint inference that answers for others, over HTTP; needs the extra [cloud]."""

from edgestill.inference.service.app import make_app
from edgestill.inference.service.served import Served
from edgestill.inference.service.server import ServiceServer
from edgestill.inference.service.service import Service
from edgestill.inference.service.settings import AboveSettings, ServiceSettings

__all__ = ["AboveSettings", "Served", "Service", "ServiceServer", "ServiceSettings", "make_app"]
