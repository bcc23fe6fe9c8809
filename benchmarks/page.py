"""How quickly the page shows what is asked of it, in a real browser on the server's machine.

- first: from the request for the page of a server that has just started to the first decoded picture.
- pointer: from a pointer event to the frame that shows the decoded picture of its place, while the pointer moves.
- points: frames a second of the 70,000 encoded images while they are panned and zoomed.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.service import article, server

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
MOVES, PAUSE = 240, 16.0  # pointer moves, and the milliseconds between them
FRAMES = 150
VIEWPORT = {"width": 1280, "height": 860}

# Notes when events come and when frames that answer them have been painted: a message posted from an animation frame
# arrives after the paint.
WATCH = """
window.measured = {first: null, events: new Map(), latencies: []};
const painted = (work) => requestAnimationFrame(() => {
  const channel = new MessageChannel();
  channel.port1.onmessage = () => work(performance.now());
  channel.port2.postMessage(null);
});
new MutationObserver((changes) => {
  for (const {target} of changes) {
    if (target.dataset.exact === undefined) continue;
    measured.first ?? painted((now) => { measured.first ??= now; });
    const from = measured.asked;
    if (from !== undefined && target.dataset.exact === 'true') painted((now) => measured.latencies.push(now - from));
    measured.asked = undefined;
  }
}).observe(document, {subtree: true, attributes: true, attributeFilter: ['data-shown']});
addEventListener('pointermove', ({timeStamp}) => { measured.asked ??= timeStamp; }, true);
"""

POINTER = """async ([moves, pause]) => {
  const plane = document.querySelector('.plane');
  const box = plane.getBoundingClientRect();
  for (let i = 0; i < moves; i += 1) {
    const [x, y] = [0.5 + 0.3 * Math.cos(i / 19), 0.5 + 0.3 * Math.sin(i / 13)];
    plane.dispatchEvent(new PointerEvent('pointermove', {
      bubbles: true, clientX: box.left + x * box.width, clientY: box.top + y * box.height}));
    await new Promise((resolve) => setTimeout(resolve, pause));
  }
  await new Promise((resolve) => setTimeout(resolve, 500));
  return measured.latencies;
}"""

POINTS = """async (frames) => {
  const plane = document.querySelector('.plane');
  const box = plane.getBoundingClientRect();
  const [x, y] = [box.left + box.width / 2, box.top + box.height / 2];
  const send = (type, more) => plane.dispatchEvent(new (type === 'wheel' ? WheelEvent : PointerEvent)(type, {
    bubbles: true, cancelable: true, pointerId: 1, button: 0, clientX: x, clientY: y, ...more}));
  plane.setPointerCapture = () => {};
  const frame = () => new Promise(requestAnimationFrame);
  await frame();
  const start = performance.now();
  send('pointerdown');
  for (let i = 0; i < frames; i += 1) {
    if (i % 2) send('wheel', {deltaY: i < frames / 2 ? -20 : 20});
    else send('pointermove', {clientX: x + 60 * Math.sin(i / 10), clientY: y + 40 * Math.cos(i / 10)});
    await frame();
  }
  send('pointerup');
  return 1000 * frames / (performance.now() - start);
}"""


def measure(run: str | None) -> dict[str, Any]:
    """All three, of a run or of the article's model with weights as they come: speed hardly depends on them."""
    from playwright.sync_api import sync_playwright

    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    if path is None:
        sys.exit(f"needs a browser on PATH: one of {', '.join(BROWSERS)}")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        chosen = run or article(Path(folder) / "article")
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        with server(chosen) as port:
            page = browser.new_page(viewport=VIEWPORT)  # pyright: ignore[reportArgumentType]
            page.set_default_timeout(240_000)
            page.add_init_script(WATCH)
            address = f"http://127.0.0.1:{port}/"
            page.goto(address)
            page.wait_for_selector(".plane[data-exact=true][data-complete=true]")
            first = page.evaluate("measured.first")
            latencies = np.array(page.evaluate(POINTER, [MOVES, PAUSE]))
            page.goto(f"{address}#/clusters")
            page.wait_for_selector("h1:has-text('Clusters')")
            page.wait_for_selector(".plane[data-complete=true][data-visible]")
            rate = page.evaluate(POINTS, FRAMES)
            points = int(str(page.get_attribute(".plane", "aria-label")).split()[0].replace(",", ""))
        browser.close()
    p50, p95 = np.quantile(latencies, [0.5, 0.95])
    return {
        "first_picture_s": round(first / 1000, 3),
        "pointer_to_frame_ms": {"p50": round(p50, 1), "p95": round(p95, 1), "moves": MOVES, "frames": len(latencies)},
        "points": points,
        "points_frames_per_s": round(rate, 1),
    }
