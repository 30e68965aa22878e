#!/bin/sh
# make docker: the scenarios in a container, then the story on four containers.
# With "demo" as argument: the demo alone. Without an engine, the files are
# checked, and a line says that nothing was run.
set -eu
cd "$(dirname "$0")/.."

if ! docker info >/dev/null 2>&1 || ! docker compose version >/dev/null 2>&1; then
	exec docker/check.sh
fi

compose() { docker compose -f docker/compose.yaml "$@"; }
finish() { compose --profile story --profile scenarios --profile demo down --volumes --remove-orphans >/dev/null 2>&1 || true; }
trap finish EXIT

case ${1:-all} in
demo)
	compose --profile demo build demo
	compose --profile demo run --rm demo
	;;
all)
	compose --profile story --profile scenarios build
	compose --profile scenarios run --rm scenarios
	compose --profile story run --rm story
	;;
*)
	echo "usage: docker/run.sh [demo]" >&2
	exit 2
	;;
esac
