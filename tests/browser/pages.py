"""What the tests of several views look at in a page."""

import base64
import io
import time
from collections.abc import Callable
from typing import TypeVar

import numpy as np
from PIL import Image

T = TypeVar("T")
PATIENCE = 60.0  # seconds, many times what anything takes


def eventually(look: Callable[[], T], true: Callable[[T], bool] = bool, seconds: float = PATIENCE) -> T:
    """What there is to see, once it is as it should be. The page's policy forbids Playwright's own way to wait."""
    end = time.monotonic() + seconds
    while not true(found := look()):
        assert time.monotonic() < end, f"after {seconds} s there is still {found!r}"
        time.sleep(0.03)
    return found


def painted(page, selector: str = ".panel .picture") -> np.ndarray:
    """The pixels of the first such canvas, their first channel: (H, W)."""
    url = page.locator(selector).first.evaluate("canvas => canvas.toDataURL()")
    rgba = np.array(Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2]))).convert("RGBA"))
    return rgba[..., 0]


def viewport(page) -> tuple[float, float, float]:
    """The middle of the plane and the pixels of a unit, once all of it is there."""
    return tuple(float(part) for part in page.get_attribute(".plane[data-complete=true]", "data-view").split())


def shown(page) -> list[float]:
    """The point of the plane that is decoded, once the exact picture is there."""
    return [float(part) for part in page.get_attribute(".plane[data-exact=true]", "data-shown").split()]


def screen(page, x: float, y: float) -> tuple[float, float]:
    """Where a point of the plane is on the screen."""
    box = page.locator(".plane").bounding_box()
    middle_x, middle_y, unit = viewport(page)
    return box["x"] + box["width"] / 2 + (x - middle_x) * unit, box["y"] + box["height"] / 2 - (y - middle_y) * unit
