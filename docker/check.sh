#!/bin/sh
# Checks docker/ as far as this machine can: with an engine by the engine, and
# always by the project's own test of what the files refer to.
set -eu
cd "$(dirname "$0")/.."

for script in docker/*.sh; do
	sh -n "$script"
done
if command -v shellcheck >/dev/null; then
	shellcheck docker/*.sh
fi
go test ./docker/ ./integration/compose/
if docker compose version >/dev/null 2>&1; then
	docker compose -f docker/compose.yaml --profile story --profile scenarios --profile demo config --quiet
	echo "docker: compose.yaml is accepted by docker compose"
else
	echo "docker: no compose plugin here: compose.yaml was checked by docker/files_test.go only"
fi
if ! docker info >/dev/null 2>&1; then
	echo "NOT RUN: docker: no engine here; images were not built and nothing was run in containers"
fi
