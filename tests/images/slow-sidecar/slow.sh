#!/bin/busybox sh
[ "$1" != install ] || /bin/busybox sleep 5
exec /real/proctor-sidecar "$@"
