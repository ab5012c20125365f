#!/usr/bin/env python3
"""Writes the table of 128-bit powers of ten behind codec/number.c: for 10^-348 .. 10^347 the top 128
bits of the value, cut off (not rounded), high half first."""
import sys


def top_bits(exp10):
    if exp10 >= 0:
        n = 10 ** exp10
        return n << (128 - n.bit_length()) if n.bit_length() <= 128 else n >> (n.bit_length() - 128)
    d = 10 ** -exp10
    shift = d.bit_length() + 127
    q = (1 << shift) // d
    return q >> (q.bit_length() - 128)


with open(sys.argv[1], "w", encoding="ascii") as out:
    out.write("/* Made by tools/gen_pow10.py. */\n#include \"codec/number_priv.h\"\n\n")
    out.write("const uint64_t codec__pow10[CODEC__POW10_COUNT][2] = {\n")
    for e in range(-348, 348):
        v = top_bits(e)
        out.write(f"    {{0x{v >> 64:016x}, 0x{v & (2**64 - 1):016x}}}, /* 1e{e} */\n")
    out.write("};\n")
