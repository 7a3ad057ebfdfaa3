#!/bin/sh
# A removal stops the node. An upgrade does not. deb says remove, rpm 0.
set -e
case "$1" in
remove | 0) ;;
*) exit 0 ;;
esac
[ -d /run/systemd/system ] || exit 0
systemctl disable --now keyquorum
