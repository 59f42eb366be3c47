#!/usr/bin/env python3
"""Checks a compose file by the schema of the compose specification, and that what it mounts is there: compose.py FILE SCHEMA."""

import json
import sys
from pathlib import Path

import jsonschema
import yaml

file = Path(sys.argv[1])
document = yaml.safe_load(file.read_text())
schema = json.loads(Path(sys.argv[2]).read_text())
faults = [f"{'/'.join(map(str, error.path))}: {error.message}" for error in jsonschema.Draft7Validator(schema).iter_errors(document)]
for name, service in document["services"].items():
    for volume in service.get("volumes", []):
        source = volume.split(":", 1)[0]
        if source.startswith("."):
            if not (file.parent / source).exists():
                faults.append(f"services/{name}: there is no {source}")
        elif source not in document["volumes"]:
            faults.append(f"services/{name}: the volume {source} is not declared")
for fault in faults:
    print(f"compose: {fault}", file=sys.stderr)
if faults:
    sys.exit(1)
print(f"compose: {len(document['services'])} services, the specification's schema finds nothing")
