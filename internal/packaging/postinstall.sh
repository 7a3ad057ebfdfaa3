#!/bin/sh
# No node is started: it needs its configuration first. None is restarted: it would be sealed.
set -e
[ -d /run/systemd/system ] || exit 0
systemctl daemon-reload
if systemctl --quiet is-active keyquorum; then
	echo "keyquorum: the node goes on with the program that it was started with. Restart one node"
	echo "at a time, and give it its unseal shares before you go on with the next."
fi
