"""The Python peer: prometheus_client with a gauge that has a child a series. Says its port on stdout and serves."""

import sys

from prometheus_client import CollectorRegistry, Gauge, start_http_server

MASK = (1 << 64) - 1


def mix(number):
    number = (number + 1) * 0x9E3779B97F4A7C15 & MASK
    number = (number ^ number >> 30) * 0xBF58476D1CE4E5B9 & MASK
    number = (number ^ number >> 27) * 0x94D049BB133111EB & MASK
    return number ^ number >> 31


def id_of(number):
    a, b = mix(2 * number), mix(2 * number + 1)
    return f"{a >> 32:08x}-{a >> 16 & 0xFFFF:04x}-{a & 0xFFFF:04x}-{b >> 48:04x}-{b & 0xFFFFFFFFFFFF:012x}"


series, shape = int(sys.argv[1]), sys.argv[2]
registry = CollectorRegistry()
gauge = Gauge(
    "cloudspend_provider_forecast_cost_month_end",
    "The provider's own forecast of the whole month.",
    ["provider", "account", "customer", "project", "product", "currency"],
    registry=registry,
)
for number in range(series):
    project = number // 20 if shape == "alike" else number
    product = f"Elastic Cloud Server s3.xlarge.{number % 20:02}"
    labels = ("otc", "main-account", id_of((1 << 40) + number // 1000), id_of(project), product, "EUR")
    gauge.labels(*labels).set(number * 7919 % 1000003 / 100)
server, _ = start_http_server(0, "127.0.0.1", registry)
print(server.server_port, flush=True)
sys.stdin.read()
