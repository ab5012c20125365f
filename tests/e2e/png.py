"""The pixels of a PNG as cairo writes it (8 bits a channel, not interlaced)."""
import struct
import zlib


def pixels(data):
    """(width, height, rows of bytes, bytes a pixel)"""
    at, compressed = 8, b""
    while at < len(data):
        size, kind = struct.unpack(">I4s", data[at:at + 8])
        body = data[at + 8:at + 8 + size]
        at += 12 + size
        if kind == b"IHDR":
            width, height, _, color = struct.unpack(">IIBB", body[:10])
        elif kind == b"IDAT":
            compressed += body
    step = {2: 3, 6: 4}[color]
    raw, stride = zlib.decompress(compressed), width * step
    rows, before = [], bytearray(stride)
    for y in range(height):
        filtered, row = raw[y * (stride + 1)], bytearray(raw[y * (stride + 1) + 1:(y + 1) * (stride + 1)])
        for i in range(stride):
            left = row[i - step] if i >= step else 0
            above, corner = before[i], before[i - step] if i >= step else 0
            if filtered == 1:
                row[i] = (row[i] + left) & 255
            elif filtered == 2:
                row[i] = (row[i] + above) & 255
            elif filtered == 3:
                row[i] = (row[i] + (left + above) // 2) & 255
            elif filtered == 4:
                a, b, c = abs(above - corner), abs(left - corner), abs(left + above - 2 * corner)
                row[i] = (row[i] + (left if a <= b and a <= c else above if b <= c else corner)) & 255
        rows.append(row)
        before = row
    return width, height, rows, step


def differing(a, b):
    """How many pixels differ; None when the sizes do."""
    wa, ha, a, step_a = pixels(a)
    wb, hb, b, step_b = pixels(b)
    if (wa, ha) != (wb, hb):
        return None
    return sum(a[y][x * step_a:x * step_a + 3] != b[y][x * step_b:x * step_b + 3] for y in range(ha) for x in range(wa))
