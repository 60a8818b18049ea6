"""Turns log/vectors.json into a C header. Usage: vectors_h.py log/vectors.json > vectors.h"""

import json
import sys
from typing import Any

TYPES = {"s32": 1, "u32": 2, "s64": 3, "u64": 4, "pointer": 5, "string": 6, "char": 7}
IDENTITY = ("t", "cpus", "shift", "apic_id", "tsc_khz", "epoch")


def data(hexadecimal: str) -> str:
    raw = bytes.fromhex(hexadecimal)
    return f'{len(raw)}, (const uint8_t *)"' + "".join(f"\\x{byte:02x}" for byte in raw) + '"'


def argument(type_: str, value: Any) -> str:
    if type_ == "string":
        return f'{{6, 0, "{value[0]}"}}'
    number = ord(value) if type_ == "char" else value
    if type_ in ("s32", "s64"):
        number = 2 * number if number >= 0 else -2 * number - 1
    return f"{{{TYPES[type_]}, {number}u, NULL}}"


def main() -> None:
    with open(sys.argv[1], encoding="utf-8") as file:
        vectors = json.load(file)
    bodies = vectors["bodies"]
    print("static const struct crc_vector crc_vectors[] = {")
    for v in vectors["crc"]:
        print(f"    {{{v['crc']}, {data(v['data'])}}},")
    print("};\nstatic const struct frame_vector frame_vectors[] = {")
    for v in vectors["frames"]:
        head = f"{v['p']}, {v['lane']}, {v['context']}, {v['kind']}, {v['seq']}"
        print(f"    {{{head}, {data(v['body'])}, {data(v['wire'])}}},")
    print("};\nstatic const struct stream_vector stream_vectors[] = {")
    for v in vectors["streams"]:
        tail = f"{v['lost']}, {v['stray']}, {len(v['frames'])}"
        print(f"    {{\"{v['name']}\", {v['t']}, {data(v['wire'])}, {tail}, {{")
        for f in v["frames"]:
            print(f"        {{{f['lane']}, {f['context']}, {f['kind']}, {f['seq']}, {data(f['body'])}}},")
        print("    }},")
    print("};\nstatic const struct record_vector record_vectors[] = {")
    for v in bodies["records"]:
        if any(a["type"] == "string" and a["value"][1] for a in v["arguments"]):
            continue  # a string that is cut: C cuts where its slot ends, which has its own test
        arguments = ", ".join(argument(a["type"], a["value"]) for a in v["arguments"])
        head = f"{v['id']}, {v['time']}, {v['time_size']}, {data(v['record'])}, {len(v['arguments'])}"
        print(f"    {{{head}, {{{arguments or '{0}'}}}}},")
    print("};\nstatic const struct batch_vector batch_vector = {")
    batch = bodies["batch"]
    print(f"    {batch['before']}, {data(batch['body'])}, {len(batch['records'])}, {{")
    for v in batch["records"]:
        print(f"    {{{v['id']}, {v['time']}, {data(v['payload'])}}},")
    print("}};\nstatic const struct sync_vector sync_vectors[] = {")
    for v in bodies["syncs"]:
        who = v["identity"]
        identity = ", ".join(str(who[k]) for k in IDENTITY) if who else "0"
        counters = ", ".join(f"[{c}] = {{{n}, {d}}}" for c, (n, d) in v["counters"].items()) or "{0}"
        head = f"{v['time']}u, {data(v['body'])}, {int(who is not None)}"
        print(f"    {{{head}, {{{identity}}}, {{{counters}}}}},")
    print("};")
    words = json.dumps(vectors["banner"]["text"])
    print(f"static const char banner_vector[] = {words};")


if __name__ == "__main__":
    main()
