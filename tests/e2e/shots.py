"""Shots of pages beside the approved ones: still, small, and tolerant of how fonts are drawn.

The browser itself scales and compares, so nothing else is needed. Approved shots are WebP, a third of the size, some kilobytes each.
"""

from __future__ import annotations

import base64
import os
import shutil
from pathlib import Path

from playwright.sync_api import Page

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
CHROMIUM = os.environ.get("CHROMIUM") or next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
APPROVED = Path(__file__).parent / "approved"
APPROVES = os.environ.get("BOATHOUSE_APPROVE_SHOTS") == "1"
SCALE = 1 / 3
# Blocks of so many small pixels are compared by their mean colour; so large a difference of a channel counts.
BLOCK = 6
CHANNEL = 26
# The share of blocks that may differ: a line that wraps elsewhere, a number that is wider. And of the height.
MAY_DIFFER = 0.015
MAY_GROW = 0.03

# Times, ids, addresses and measured amounts become the same each time.
STILL = r"""() => {
  const plain = [
    [/\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b/g, '00000000-0000-7000-8000-000000000000'],
    [/\b(?=[0-9a-f]*[a-f])(?=[0-9a-f]*[0-9])[0-9a-f]{7,64}\b/g, match => '0'.repeat(match.length)],
    [/127\.0\.0\.1:\d+/g, 'boathouse.example'],
    [/\b\d\d:\d\d(:\d\d)?(\.\d+)?\b/g, '09:12'],
    [/\b\d{4}-\d\d-\d\d\b/g, '2026-08-14'],
    [/\b(\d+ h )?(\d+ m(in)? )?\d+(\.\d+)?[  ](ms|s|m|min|h)\b( ago)?/g, '3 s'],
    [/\b\d+(\.\d+)?[  ](kB|MB|GB)\b/g, '9 MB'],
    [/\b(Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day, \d+ \w+/g, 'Friday, 14 August'],
  ];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const node = walker.currentNode;
    if (node.parentElement.closest('script, style')) continue;
    if (node.parentElement.closest('time')) { node.data = '3 min ago'; continue; }
    for (const [pattern, same] of plain) node.data = node.data.replace(pattern, same);
  }
  document.querySelectorAll('input:not([type=range])').forEach(field => { if (field.readOnly) field.value = 'as is'; });
  document.querySelectorAll('.runbars, bh-chart .plot, .progress i').forEach(drawn => { drawn.style.visibility = 'hidden'; });
  document.activeElement?.blur();
}"""
SMALL = """async ({shot, scale}) => {
  const image = new Image(); image.src = shot; await image.decode();
  const canvas = new OffscreenCanvas(Math.round(image.width * scale), Math.round(image.height * scale));
  const pen = canvas.getContext('2d'); pen.imageSmoothingQuality = 'high';
  pen.drawImage(image, 0, 0, canvas.width, canvas.height);
  const blob = await canvas.convertToBlob({type: 'image/webp', quality: 0.82});
  return btoa(String.fromCharCode(...new Uint8Array(await blob.arrayBuffer())));
}"""
COMPARE = """async ({one, other, block, channel}) => {
  const read = async source => {
    const image = new Image(); image.src = source; await image.decode();
    const canvas = new OffscreenCanvas(image.width, image.height);
    const pen = canvas.getContext('2d', {willReadFrequently: true}); pen.drawImage(image, 0, 0);
    return {width: image.width, height: image.height, data: pen.getImageData(0, 0, image.width, image.height).data};
  };
  const [a, b] = [await read(one), await read(other)];
  const width = Math.min(a.width, b.width), height = Math.min(a.height, b.height);
  const mean = (image, x, y) => {
    const sum = [0, 0, 0];
    for (let i = y; i < y + block; i++) for (let j = x; j < x + block; j++)
      for (let c = 0; c < 3; c++) sum[c] += image.data[(i * image.width + j) * 4 + c];
    return sum.map(value => value / block ** 2);
  };
  let blocks = 0, differ = 0;
  for (let y = 0; y + block <= height; y += block) for (let x = 0; x + block <= width; x += block) {
    const [p, q] = [mean(a, x, y), mean(b, x, y)];
    blocks += 1;
    if (p.some((value, c) => Math.abs(value - q[c]) > channel)) differ += 1;
  }
  return {share: differ / blocks, grown: Math.abs(a.height - b.height) / Math.max(a.height, b.height), width: a.width === b.width};
}"""


def compare(page: Page, name: str, shot: bytes, kept: Path) -> str:
    """What is wrong with a shot beside the approved one, or the empty text; approves it when that is asked for.

    `page` is any blank page to count in. A shot that differs is left at `kept`.
    """
    approved = APPROVED / f"{name}.webp"
    small = base64.b64decode(page.evaluate(SMALL, {"shot": _address(shot, "png"), "scale": SCALE}))
    if APPROVES:
        if not approved.exists() or _differs(page, approved.read_bytes(), small):
            approved.parent.mkdir(exist_ok=True)
            approved.write_bytes(small)
        return ""
    if not approved.exists():
        return f"{name}: no approved shot; look at the page, then make approve"
    wrong = _differs(page, approved.read_bytes(), small)
    if wrong:
        kept.mkdir(parents=True, exist_ok=True)
        (kept / f"{name}.png").write_bytes(shot)
        return f"{name}: {wrong} beside {approved.name}; see {kept / name}.png, then make approve if it is meant"
    return ""


def _differs(page: Page, approved: bytes, small: bytes) -> str:
    found = page.evaluate(
        COMPARE,
        {"one": _address(approved, "webp"), "other": _address(small, "webp"), "block": BLOCK, "channel": CHANNEL},
    )
    if not found["width"]:
        return "another width"
    if found["grown"] > MAY_GROW:
        return f"{found['grown']:.0%} higher or lower"
    return f"{found['share']:.1%} of it differs" if found["share"] > MAY_DIFFER else ""


def _address(content: bytes, kind: str) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"
