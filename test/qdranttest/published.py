"""Prints every operation that Qdrant's own Python client knows: "METHOD PATH" of REST and "/service/method" of gRPC."""

import pathlib
import re

import qdrant_client.http.api
from google.protobuf import descriptor_pool
from qdrant_client import grpc  # noqa: F401  registers the descriptors

for file in sorted(pathlib.Path(qdrant_client.http.api.__file__).parent.glob("*_api.py")):
    for method, path in re.findall(r'method="([A-Z]+)",\s+url="([^"]+)"', file.read_text()):
        print(method, path)

pool = descriptor_pool.Default()
for name in ["points_service", "collections_service", "snapshots_service", "qdrant"]:
    for service in pool.FindFileByName(name + ".proto").services_by_name.values():
        for method in service.methods:
            print(f"/{service.full_name}/{method.name}")
