#!/usr/bin/env python3
"""Stores what torch's CPU generator gives, as bit patterns.

    pip install torch
    python3 noise.py ../../Tests/DiffusionModelsTests/Fixtures/schedulers

Writes `noise.json`: per case a seed and successive draws; of each draw the count, the FNV-1a digest of its float32 bits
(little-endian), and the bits themselves of the first 24 numbers.
"""
import json, sys
import torch


def digest(data):
    value = 0xCBF29CE484222325
    for byte in data:
        value = ((value ^ byte) * 0x100000001B3) % 2**64
    return value


def case(seed, counts):
    generator = torch.Generator().manual_seed(seed)
    draws = []
    for count in counts:
        values = torch.randn(count, generator=generator).numpy().astype("<f4")
        draws.append(dict(count=count, digest=str(digest(values.tobytes())), bits=values.view("<u4")[:24].tolist()))
    return dict(seed=str(seed), draws=draws)


def main(folder):
    cases = [case(seed, [count]) for seed in (0, 32, 42, 2**32 + 7, 2**64 - 1)
             for count in (1, 3, 15, 16, 17, 31, 32, 100, 1000, 4099, 16384)]
    cases += [case(7, [3, 16, 5, 20, 1, 0, 1, 640, 15, 17]), case(1234567890123, [1] * 9 + [16384, 1, 33])]
    with open(f"{folder}/noise.json", "w") as file:
        file.write("[\n" + ",\n".join(json.dumps(c, separators=(",", ":")) for c in cases) + "\n]\n")
    print(len(cases), "cases, torch", torch.__version__, torch.backends.cpu.get_cpu_capability())


if __name__ == "__main__":
    main(sys.argv[1])
