"""Prints the gRPC interface as Weaviate's own Python client has it: {message: {number: [name, type]}}, {enum: {number: name}}, methods."""

import importlib
import json
import pkgutil
import warnings

warnings.filterwarnings("ignore")

import weaviate.proto.v1
from google.protobuf.descriptor import FieldDescriptor

kinds = {getattr(FieldDescriptor, k): k[5:].lower() for k in dir(FieldDescriptor) if k.startswith("TYPE_")}
messages, enums, methods = {}, {}, {}


def kind(f):
    if f.message_type is not None:
        return f.message_type.full_name
    if f.enum_type is not None:
        return f.enum_type.full_name
    return kinds[f.type]


def walk(m):
    messages[m.full_name] = {
        str(f.number): [f.name, ("repeated " if f.is_repeated else "") + kind(f)] for f in m.fields
    }
    for e in m.enum_types:
        enums[e.full_name] = {str(v.number): v.name for v in e.values}
    for n in m.nested_types:
        walk(n)


newest = max(m.name for m in pkgutil.iter_modules(weaviate.proto.v1.__path__))
root = importlib.import_module(f"weaviate.proto.v1.{newest}.v1")
for m in pkgutil.iter_modules(root.__path__):
    # File replication is spoken between servers, on a port that no client reaches.
    if not m.name.endswith("_pb2") or m.name.startswith("file_replication"):
        continue
    d = importlib.import_module(f"{root.__name__}.{m.name}").DESCRIPTOR
    for x in d.message_types_by_name.values():
        walk(x)
    for x in d.enum_types_by_name.values():
        enums[x.full_name] = {str(v.number): v.name for v in x.values}
    for s in d.services_by_name.values():
        for r in s.methods:
            methods[f"/{s.full_name}/{r.name}"] = [r.input_type.full_name, r.output_type.full_name, r.client_streaming, r.server_streaming]
print(json.dumps({"messages": messages, "enums": enums, "methods": methods}))
