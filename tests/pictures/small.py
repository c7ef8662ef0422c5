"""A picture made small: at most 256 colours, each rounded to 16 steps a channel, and compressed as well as zlib can.

It reads the PNG files that Chromium writes (8 bits a channel, not interlaced) and no others.
"""

import struct
import zlib
from collections import Counter
from pathlib import Path

SIGNATURE = b"\x89PNG\r\n\x1a\n"
STEP = 17
MOST = 256

Colour = tuple[int, int, int]


def make_small(path: Path) -> None:
    """Write a picture again with few colours."""
    width, height, channels, raw = _read(path.read_bytes())
    rounded = bytes(min(255, (value + STEP // 2) // STEP * STEP) for value in range(256))
    pixels = raw.translate(rounded)
    reds, greens, blues = (pixels[n::channels] for n in range(3))
    colours: list[Colour] = list(zip(reds, greens, blues, strict=True))
    palette = [colour for colour, _ in Counter(colours).most_common(MOST)]
    index = {colour: n for n, colour in enumerate(palette)}
    for colour in set(colours) - index.keys():
        index[colour] = index[_nearest(colour, palette)]
    rows = bytes(index[colour] for colour in colours)
    lines = b"".join(b"\0" + rows[n * width : (n + 1) * width] for n in range(height))
    head = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)
    chunks = {b"IHDR": head, b"PLTE": bytes(v for colour in palette for v in colour), b"IDAT": zlib.compress(lines, 9)}
    body = b"".join(_chunk(kind, data) for kind, data in {**chunks, b"IEND": b""}.items())
    path.write_bytes(SIGNATURE + body)


def _nearest(colour: Colour, palette: list[Colour]) -> Colour:
    return min(palette, key=lambda one: sum((a - b) ** 2 for a, b in zip(one, colour, strict=True)))


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _read(data: bytes) -> tuple[int, int, int, bytes]:
    """Width, height, channels and the samples of a PNG of 8 bits a channel."""
    place, packed = len(SIGNATURE), b""
    width = height = channels = 0
    while place < len(data):
        length, kind = struct.unpack(">I4s", data[place : place + 8])
        chunk = data[place + 8 : place + 8 + length]
        if kind == b"IHDR":
            width, height, _, colour_type = struct.unpack(">IIBB", chunk[:10])
            channels = {2: 3, 6: 4}[colour_type]
        elif kind == b"IDAT":
            packed += chunk
        place += 12 + length
    return width, height, channels, _unfiltered(zlib.decompress(packed), width * channels, channels)


def _unfiltered(lines: bytes, stride: int, back: int) -> bytes:
    """The samples without PNG's filters (PNG specification, section 9)."""
    found, before = bytearray(), bytearray(stride)
    for start in range(0, len(lines), stride + 1):
        kind, line = lines[start], bytearray(lines[start + 1 : start + 1 + stride])
        for n in range(stride):
            left = line[n - back] if n >= back else 0
            corner = before[n - back] if n >= back else 0
            line[n] = (line[n] + _predicted(kind, left, before[n], corner)) & 255
        found += line
        before = line
    return bytes(found)


def _predicted(kind: int, left: int, above: int, corner: int) -> int:
    if kind == 4:
        guess = left + above - corner
        return min((left, above, corner), key=lambda one: abs(guess - one))
    return (0, left, above, (left + above) // 2)[kind]
