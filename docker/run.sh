#!/bin/sh
# make docker: the scenarios in a container, then the story on four containers.
# With "demo" as argument: the demo alone. Without an engine, the files are
# checked, and a line says that nothing was run. Exit code 3: the images could
# not be built, as where no registry can be reached; nothing was run.
set -eu
cd "$(dirname "$0")/.."

if ! docker info >/dev/null 2>&1 || ! docker compose version >/dev/null 2>&1; then
	exec docker/check.sh
fi
VERSION=${VERSION:-$(git describe --tags --always --dirty 2>/dev/null || echo unknown)}
export VERSION

compose() { docker compose -f docker/compose.yaml --profile story --profile scenarios --profile demo "$@"; }

# dash runs a trap only when the command in the foreground has ended, and none
# on EXIT for a signal: so the command runs in the background, and a signal ends
# the script by exit.
child=
finish() {
	trap '' HUP INT TERM
	[ -z "$child" ] || kill "$child" 2>/dev/null || true
	compose down --volumes --remove-orphans --timeout 1 >/dev/null 2>&1 || true
}
trap finish EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM
run() {
	docker compose -f docker/compose.yaml --profile "$1" run --rm -T "$1" &
	child=$!
	code=0
	wait "$child" || code=$?
	child=
	return "$code"
}
build() {
	compose build "$@" &
	child=$!
	wait "$child" || exit 3
	child=
}

case ${1:-all} in
demo)
	build scenarios
	run demo
	;;
all)
	# One service of each image builds it.
	build scenarios lost
	run scenarios
	run story || {
		compose logs --no-color --tail 300 || true
		exit "$code"
	}
	;;
*)
	echo "usage: docker/run.sh [demo]" >&2
	exit 2
	;;
esac
