"""What Pinecone's last Python client before version 9 publishes of the interface, as JSON: the messages of gRPC, field by field,
and the operations of REST."""

import json
import pathlib
import re

import pinecone
from google.protobuf import descriptor_pb2
from pinecone.core.grpc.protos import db_data_2025_10_pb2

file = descriptor_pb2.FileDescriptorProto()
db_data_2025_10_pb2.DESCRIPTOR.CopyToProto(file)


def fields(message):
    return {
        f.name: [f.number, f.type, f.label, f.type_name.removeprefix("."), f.proto3_optional]
        for f in message.field
    }


messages = {}
for m in file.message_type:
    messages[m.name] = fields(m)
    for n in m.nested_type:
        messages[f"{m.name}.{n.name}"] = fields(n)

operations = set()
for path in (pathlib.Path(pinecone.__file__).parent / "core" / "openapi").rglob("*_api.py"):
    text = path.read_text()
    operations |= set(re.findall(r'"endpoint_path": "([^"]+)",\s*"operation_id": "[^"]+",\s*"http_method": "([A-Z]+)"', text))

print(json.dumps({
    "messages": messages,
    "methods": {m.name: [m.input_type[1:], m.output_type[1:]] for s in file.service for m in s.method},
    "operations": sorted(f"{method} {path}" for path, method in operations),
}))
