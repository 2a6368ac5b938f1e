#!/bin/sh
# Look up known vulnerabilities of the npm package that pages contain, in the version that is pinned.
# The argument is a Python with Mien.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"$1" -c "
import json
from mien.deploy.packaging.npm import ONNXRUNTIME_WEB as web
print(json.dumps({'name': 'audit', 'version': '1.0.0', 'dependencies': {web.name: web.version}}))
" > "$folder/package.json"
cd "$folder"
npm install --package-lock-only --ignore-scripts --no-fund --no-audit --loglevel error > /dev/null
npm audit
