"""From what a user asks for to runs in the queue: what `ccafl run` and the app share.

An `Order` is planned (settings, names and counts of the data, device, source: no file is written),
then prepared (its data drawn if need be, and every image opened), then queued.
"""

from ccafl.orders.order import Order, Plan, Planner
from ccafl.orders.ready import Ready, change, prepare, remarks, submit
from ccafl.orders.sources import offers, parse_stages
from ccafl.orders.sweeps import Variant, variants

__all__ = [
    "Order",
    "Plan",
    "Planner",
    "Ready",
    "Variant",
    "change",
    "offers",
    "parse_stages",
    "prepare",
    "remarks",
    "submit",
    "variants",
]
