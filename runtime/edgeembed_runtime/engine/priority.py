"""The priority of a thread, where the system has one for it."""

import contextlib
import ctypes
import os
import sys
import threading

_NICE = 10
# winnt.h; sys/qos.h: QOS_CLASS_BACKGROUND.
_THREAD_PRIORITY_BELOW_NORMAL = -1
_QOS_CLASS_BACKGROUND = 0x09


def lower_thread_priority() -> None:
    """Let the calling thread give way to normal ones; where that cannot be done, nothing happens.

    Linux has a niceness for each thread, macOS a quality of service, Windows a thread priority.
    """
    with contextlib.suppress(AttributeError, OSError):
        if sys.platform == "linux":
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)
        elif sys.platform == "darwin":
            ctypes.CDLL(None).pthread_set_qos_class_self_np(_QOS_CLASS_BACKGROUND, 0)
        elif sys.platform == "win32":
            kernel = ctypes.windll.kernel32
            kernel.SetThreadPriority(kernel.GetCurrentThread(), _THREAD_PRIORITY_BELOW_NORMAL)
