#!/bin/sh
# The user that runs a node owns folders of the package, so it is there before them.
set -e
getent group keyquorum >/dev/null || groupadd --system keyquorum
getent passwd keyquorum >/dev/null || useradd --system --gid keyquorum --no-create-home \
	--home-dir /var/lib/keyquorum --shell /usr/sbin/nologin keyquorum
