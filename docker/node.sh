#!/bin/sh
# Starts lightningd on regtest in a container of docker/compose.yaml. The secret
# is 32 random bytes, made once. A file "lose" in the lightning-dir makes the
# next start lose everything but the secret: what was there is in "lost".
set -eu

dir=${LIGHTNINGD_DATA:?}
net=$dir/regtest
mkdir -p "$net"
if [ ! -e "$net/hsm_secret" ]; then
	(umask 277 && head -c 32 /dev/urandom >"$net/hsm_secret.new")
	mv "$net/hsm_secret.new" "$net/hsm_secret"
fi
if [ -e "$dir/lose" ]; then
	rm -rf "$dir/lost"
	mkdir "$dir/lost"
	for f in "$net"/*; do
		[ "${f##*/}" = hsm_secret ] || mv "$f" "$dir/lost/"
	done
	rm "$dir/lose"
fi
rm -f "$net/lightning-rpc"
exec lightningd --lightning-dir="$dir" --network=regtest --developer \
	--dev-fast-gossip --dev-bitcoind-poll=1 --dev-fast-reconnect \
	--dev-force-features=-63 --force-feerates=1255 --ignore-fee-limits=true \
	--log-level=debug "$@"
