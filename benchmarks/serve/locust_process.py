"""Runs in locust's own environment: a plan of load in, what every request met out, as JSON.

Closed groups are users that ask again as soon as they are answered; open groups send at random
times of a given rate, whether or not earlier requests were answered.
"""

import json
import random
import resource
import sys
import time
from itertools import cycle
from pathlib import Path

TIMEOUT_S = 120.0
# Enough for every request of an open group that waits at once.
CONNECTIONS = 4000
HEADERS = {"Content-Type": "application/json"}


def users_of(name, group, plan, records):
    """The class of a group's users."""
    import gevent
    from locust import FastHttpUser, task

    bodies = cycle(group["bodies"])
    headers = HEADERS | group.get("headers", {})

    class User(FastHttpUser):
        host = plan["url"]
        network_timeout = connection_timeout = TIMEOUT_S
        insecure = True
        concurrency = CONNECTIONS if "rate" in group else 1

        def ask(self):
            began = time.perf_counter()
            with self.client.post(
                plan["path"], data=next(bodies), headers=headers, name=name, catch_response=True
            ) as answer:
                status, whole = answer.status_code, bool(answer.content)
                answer.success()
            took = time.perf_counter() - began
            records.append((began - plan["began"], took, status if whole else 0))

    class Closed(User):
        fixed_count = group.get("clients", 1)

        @task
        def again(self):
            self.ask()

    class Open(User):
        fixed_count = 1

        @task
        def forever(self):
            clock, due = random.Random(0), time.perf_counter()
            while True:
                due += clock.expovariate(group["rate"])
                gevent.sleep(max(0.0, due - time.perf_counter()))
                gevent.spawn(self.ask)

    chosen = Open if "rate" in group else Closed
    return type(name, (chosen,), {})


def run(plan):
    """What each group met: lists of (seconds since the start, seconds it took, status)."""
    import gevent
    from locust.env import Environment

    records = {name: [] for name in plan["groups"]}
    before = cpu_seconds()  # its imports took some before the load
    plan["began"] = time.perf_counter()
    classes = [users_of(name, group, plan, records[name]) for name, group in plan["groups"].items()]
    environment = Environment(user_classes=classes)
    runner = environment.create_local_runner()
    count = sum(each.fixed_count for each in classes)
    runner.start(count, spawn_rate=count)
    gevent.sleep(plan["seconds"])
    stopped = time.perf_counter() - plan["began"]
    # Users end at once; what open groups have sent is waited for.
    runner.stop()
    until = time.perf_counter() + plan.get("drain_s", 0)
    while time.perf_counter() < until:
        gevent.sleep(0.05)
    return {"groups": records, "stopped": stopped, "cpu_s": cpu_seconds() - before}


def cpu_seconds():
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def main():
    import locust  # noqa: F401 patches sockets, before anything opens one

    plan = json.loads(Path(sys.argv[1]).read_text())
    Path(sys.argv[2]).write_text(json.dumps(run(plan)))


if __name__ == "__main__":
    main()
