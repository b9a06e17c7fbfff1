"""How much a run does."""

from dataclasses import dataclass, replace


@dataclass(frozen=True, kw_only=True)
class Size:
    """Numbers of cases."""

    every: int
    """Every n-th operation that can fail does."""
    kills_at: int
    """Kills at a chosen operation."""
    kills_after: int
    """Kills after a random time."""
    kills_on_full_disks: int
    """Kills at a chosen operation, on each kind of small disk."""
    interrupts: int
    """Signals to each command."""
    interrupts_of_long: int
    """To each that takes long, such as those that train."""
    lost_every: int
    """The power fails after every n-th operation."""
    lost_states: int
    """Random states after each power failure, besides all lost and all kept."""
    fuzzed: int
    """Damaged files."""
    tampered: int
    """Catalogs with other values."""
    examples: int
    """Of random operations."""
    examples_steps: int
    crowd_seconds: float
    """Seconds that many processes work on one index."""
    crowd_readers: int
    hostile_images: int
    hostile_models: int
    memory_steps: int
    """Limits of memory, for each operation."""
    strangers: int
    """Hostile bundles."""
    requests: int
    """Malformed ones, to a server."""
    slow_clients: int
    idle_connections: int


_SMALL = Size(
    every=9,
    kills_at=40,
    kills_after=20,
    kills_on_full_disks=15,
    interrupts=1,
    interrupts_of_long=0,
    lost_every=19,
    lost_states=2,
    fuzzed=250,
    tampered=50,
    examples=20,
    examples_steps=20,
    crowd_seconds=4,
    crowd_readers=4,
    hostile_images=80,
    hostile_models=6,
    memory_steps=5,
    strangers=46,
    requests=120,
    slow_clients=20,
    idle_connections=300,
)
_FULL = Size(
    every=1,
    kills_at=1000,
    kills_after=200,
    kills_on_full_disks=200,
    interrupts=40,
    interrupts_of_long=6,
    lost_every=1,
    lost_states=8,
    fuzzed=12_000,
    tampered=2000,
    examples=2000,
    examples_steps=50,
    crowd_seconds=300,
    crowd_readers=8,
    hostile_images=2000,
    hostile_models=1000,
    memory_steps=64,
    strangers=1000,
    requests=20_000,
    slow_clients=200,
    idle_connections=10_000,
)

SIZES = {
    "small": _SMALL,
    "full": _FULL,
    # For tests/faults/test_kills.py: 10,000 of them.
    "widest": replace(_FULL, kills_at=6000, kills_after=1600, kills_on_full_disks=1200),
}
