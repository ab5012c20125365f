"""Protobuf messages taken apart without their schemas. They are put together by pharos_test.field()."""
import struct


def read(message):
    """{number: [values]}: varints as ints, anything of a fixed size or a length as bytes, nested messages too."""
    out, at = {}, 0

    def take(size):
        nonlocal at
        assert at + size <= len(message), f"cut off at {at}"
        at += size
        return bytes(message[at - size:at])

    def varint():
        n = shift = 0
        while True:
            (b,) = take(1)
            n |= (b & 127) << shift
            shift += 7
            if b < 128:
                return n
    while at < len(message):
        key = varint()
        kind = key & 7
        assert kind in (0, 1, 2, 5), f"wire type {kind} of field {key >> 3}"
        value = varint() if kind == 0 else take({1: 8, 5: 4}[kind] if kind != 2 else varint())
        out.setdefault(key >> 3, []).append(value)
    return out


def double(value):
    return struct.unpack("<d", value)[0]


def fixed64(value):
    return struct.unpack("<Q", value)[0]
