"""Fork hooks for what cannot survive a fork: threads, locks held elsewhere, connections."""

import ctypes
import os
import threading
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class _Follower:
    """A live object and its fork hooks."""

    owner: "weakref.ref[Any]"
    before: Callable[[Any], None]
    in_parent: Callable[[Any], None]
    in_child: Callable[[Any], None]


_followers: list[_Follower] = []


class _UnderWay(threading.local):
    """What a thread that forks has prepared; another one may fork at the same time."""

    def __init__(self) -> None:
        # Owners whose `before` hook has run, kept alive so that their after-fork hook runs too.
        self.owners: list[tuple[Any, _Follower]] = []


_under_way = _UnderWay()


def _nothing(owner: object) -> None:
    del owner


def follow_forks(
    owner: T,
    *,
    before: Callable[[T], None] = _nothing,
    in_parent: Callable[[T], None] = _nothing,
    in_child: Callable[[T], None] = _nothing,
) -> None:
    """Call hooks with `owner` around every fork, for as long as it lives.

    Args:
        owner: the object to call them with; only a weak reference is kept.
        before: runs before the fork; locks it takes are released by the other two.
        in_parent: runs in the parent after the fork.
        in_child: runs in the child before anything else uses `owner` there.
    """
    follower = _Follower(
        owner=weakref.ref(owner, _forget), before=before, in_parent=in_parent, in_child=in_child
    )
    _followers.append(follower)


class ForkedLock:
    """A lock for `with` that is free in a forked child, whoever held it in the parent."""

    def __init__(self) -> None:
        """Start unlocked."""
        self._lock = threading.Lock()
        follow_forks(self, in_child=ForkedLock._renew)

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *reason: object) -> None:
        self._lock.release()

    def _renew(self) -> None:
        self._lock = threading.Lock()


def never_delete(thing: object) -> None:
    """Leak an object inherited from the parent: deleting it would touch threads that are gone."""
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(thing))


def _forget(owner: "weakref.ref[Any]") -> None:
    _followers[:] = [follower for follower in _followers if follower.owner is not owner]


def _before() -> None:
    for follower in _followers.copy():  # a hook may add followers
        if (owner := follower.owner()) is not None:
            _under_way.owners.append((owner, follower))
            follower.before(owner)


def _in_parent() -> None:
    while _under_way.owners:
        owner, follower = _under_way.owners.pop()
        follower.in_parent(owner)


def _in_child() -> None:
    while _under_way.owners:
        owner, follower = _under_way.owners.pop()
        follower.in_child(owner)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before, after_in_parent=_in_parent, after_in_child=_in_child)
