"""Scapy as a judge: each line of standard input is a list of jobs as JSON, and is answered by a line with the list of their answers.

{"dissect": HEX, "as": CLASS}                what a packet says, layer by layer, and the bytes that its fields make
{"build": [LAYER, ...]}                      the bytes of these layers; what is left out, lengths for one, is scapy's
{"invent": CLASS, "seed": N, "fixed": {}}    a packet whose fields, but for the fixed ones, are scapy's own choice

A LAYER is [CLASS, {FIELD: VALUE}]. A VALUE is a number, an address, bytes as hexadecimal, or a list of LAYERs.
"""
import json
import random
import sys

from scapy.fields import ConditionalField, FieldLenField, PacketListField, StrField
from scapy.layers import inet, l2, ppp, pptp
from scapy.packet import Packet, Padding, Raw, fuzz

CLASSES = {name: each for module in (inet, l2, ppp, pptp) for name, each in vars(module).items()}
CLASSES.update({"Raw": Raw, "Padding": Padding})


def shown(value):
    if isinstance(value, Packet):
        return layers(value)
    if isinstance(value, list):
        return [shown(each)[0] for each in value]
    if isinstance(value, bytes):
        return value.hex()
    return value if value is None or isinstance(value, str) else int(value)


def is_there(field, packet):
    return not isinstance(field, ConditionalField) or field._evalcond(packet)


def layers(packet):
    found = []
    while packet:
        there = [field.name for field in packet.fields_desc if is_there(field, packet)]
        found.append([type(packet).__name__, {name: shown(packet.getfieldval(name)) for name in there}])
        packet = packet.payload
    return found


def forget_bytes_and_lengths(packet):
    """Scapy keeps the bytes that it dissected and the lengths in them; without them it has to make both of the other fields."""
    while packet:
        packet.raw_packet_cache = None
        for field in packet.fields_desc:
            value = packet.fields.get(field.name)
            if isinstance(field, FieldLenField) or field.name == "payload_len":
                packet.fields.pop(field.name, None)
            for nested in value if isinstance(value, list) else [value]:
                if isinstance(nested, Packet):
                    forget_bytes_and_lengths(nested)
        packet = packet.payload


def made(stack):
    (name, fields), *inner = stack
    kind = CLASSES[name]
    values = {}
    for field in kind.fields_desc:
        if field.name not in fields:
            continue
        value = fields[field.name]
        if isinstance(field, PacketListField):
            value = [made([each]) for each in value]
        elif isinstance(value, list):
            value = made(value)
        elif isinstance(getattr(field, "fld", field), StrField) and isinstance(value, str):
            value = bytes.fromhex(value)
        values[field.name] = value
    unknown = fields.keys() - values.keys()
    if unknown:
        raise ValueError(f"{name} has no field {', '.join(sorted(unknown))}")
    packet = kind(**values)
    return packet / made(inner) if inner else packet


def answer(job):
    if "dissect" in job:
        packet = CLASSES[job["as"]](bytes.fromhex(job["dissect"]))
        read = layers(packet)
        forget_bytes_and_lengths(packet)
        return {"layers": read, "rebuilt": bytes(packet).hex()}
    if "build" in job:
        return {"bytes": bytes(made(job["build"])).hex()}
    random.seed(job["seed"])
    packet = bytes(fuzz(CLASSES[job["invent"]](**job["fixed"])))
    return {"bytes": packet.hex(), "layers": layers(CLASSES[job["invent"]](packet))}


for line in sys.stdin:
    print(json.dumps([answer(job) for job in json.loads(line)]), flush=True)
