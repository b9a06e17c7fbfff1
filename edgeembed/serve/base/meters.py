"""What the server measures of itself, for Prometheus."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 120)
_PREFIX = "edgeembed_"


class Meters:
    """Histograms, counters and gauges. Thread-safe."""

    def __init__(self, registry: CollectorRegistry) -> None:
        """Register them all; `registry` must have none of them."""
        self.registry = registry

        def histogram(name: str, words: str, *labels: str) -> Histogram:
            return Histogram(_PREFIX + name, words, labels, buckets=_SECONDS, registry=registry)

        def counter(name: str, words: str, *labels: str) -> Counter:
            return Counter(_PREFIX + name, words, labels, registry=registry)

        def gauge(name: str, words: str, *labels: str) -> Gauge:
            return Gauge(
                _PREFIX + name, words, labels, registry=registry, multiprocess_mode="livesum"
            )

        self.request_seconds: Histogram = histogram(
            "request_seconds", "From the first byte of a request to the last of its answer.", "path"
        )
        self.queue_seconds: Histogram = histogram(
            "queue_seconds", "From a job's arrival to its first run.", "lane"
        )
        self.tokenize_seconds: Histogram = histogram("tokenize_seconds", "Of a run's texts.")
        self.run_seconds: Histogram = histogram("run_seconds", "Of the model, a run.")
        self.requests: Counter = counter("requests", "By endpoint and status.", "path", "status")
        self.rejections: Counter = counter("rejections", "By reason.", "reason")
        self.tokens: Counter = counter("tokens", "Read by models.", "model")
        self.inputs: Counter = counter("inputs", "Texts and images encoded.", "model")
        self.waiting_seconds: Gauge = gauge(
            "waiting_seconds", "How long what waits will take, by estimate.", "lane"
        )
        self.memory_bytes: Gauge = gauge("resident_memory_bytes", "Of the process.")
        self.models_loaded: Gauge = gauge("models_loaded", "Models in memory.")
        self.connections: Gauge = gauge("connections", "Open connections.")
        self._read: dict[str, tuple[Counter, Counter]] = {}
        self._waited = {
            lane: self.queue_seconds.labels(lane=lane) for lane in ("interactive", "bulk")
        }

    def waited(self, lane: str, seconds: float) -> None:
        """Note how long a job waited for its first run."""
        self._waited[lane].observe(seconds)

    def read(self, model: str, inputs: int, tokens: int) -> None:
        """Note what a model read for a request."""
        counters = self._read.get(model)
        if counters is None:
            counters = (self.inputs.labels(model=model), self.tokens.labels(model=model))
            self._read[model] = counters
        counters[0].inc(inputs)
        counters[1].inc(tokens)

    def text(self) -> bytes:
        """All of it, in Prometheus' text format."""
        return self.text_of(self.registry)

    @staticmethod
    def text_of(registry: CollectorRegistry) -> bytes:
        """All of a registry, in the same format."""
        return generate_latest(registry)
