"""Memory settings that make training on the CPU about a quarter faster; for the command line, which owns its process.

By default glibc gets every large buffer from the system and gives it back when it is freed, so that each training step
touches thousands of fresh pages, and each touch is a fault that the kernel answers by clearing a page. With these
settings large buffers come from the heap, which grows in large pieces and is kept.
"""

import ctypes
import sys

M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_MAX = -1, -2, -4  # malloc.h
TOP_PAD = 64 * 2**20


def keep_large_buffers() -> bool:
    """Tell glibc's allocator to keep freed memory; False where there is no glibc. Call before torch is imported."""
    if not sys.platform.startswith("linux"):
        return False
    libc = ctypes.CDLL(None)
    if not (hasattr(libc, "gnu_get_libc_version") and hasattr(libc, "mallopt")):
        return False
    settings = {M_MMAP_MAX: 0, M_TRIM_THRESHOLD: 2**31 - 1, M_TOP_PAD: TOP_PAD}
    return sum(libc.mallopt(name, value) for name, value in settings.items()) == len(settings)
