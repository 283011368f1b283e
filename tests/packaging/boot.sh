#!/bin/sh
# boot.sh FOLDER: systemd as the first process of a machine of its own, whose files are those of this one, with what it
# changes kept in memory. Namespaces and mounts go with its last process; nothing of ours is touched. Its processes are
# in cgroups called like the folder. To be run as root.
set -eu
name=$(basename "$1")

if [ "${2-}" != inside ]; then
	for hierarchy in /sys/fs/cgroup /sys/fs/cgroup/*/; do
		if [ -w "$hierarchy/cgroup.procs" ] && mkdir -p "$hierarchy/$name" 2>/dev/null; then
			echo $$ >"$hierarchy/$name/cgroup.procs" || true # a cpuset without a processor takes none
		fi
	done
	exec unshare --fork --kill-child --pid --mount --net --uts --ipc --cgroup --propagation private sh "$0" "$1" inside
fi

ip link set lo up
mount -t tmpfs tmpfs "$1"
mkdir "$1/changes" "$1/work" "$1/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$1/changes,workdir=$1/work" "$1/root"
cd "$1/root"
mount --rbind /dev dev
mount -t proc proc proc
mount -t sysfs -o ro sysfs sys
mount -t tmpfs -o mode=755 tmpfs run
mount -t tmpfs tmpfs tmp
if [ "$(stat -f -c %T /sys/fs/cgroup)" = cgroup2fs ]; then
	mount -t cgroup2 cgroup2 sys/fs/cgroup
else
	mount -t tmpfs -o mode=755 tmpfs sys/fs/cgroup
	mkdir sys/fs/cgroup/systemd
	mount -t cgroup -o none,name=systemd cgroup sys/fs/cgroup/systemd
fi
printf '[Unit]\nDescription=Nothing\nDefaultDependencies=no\n' >etc/systemd/system/nothing.target
mkdir -p mnt
pivot_root . mnt
exec env -i container=test PATH=/usr/sbin:/usr/bin:/sbin:/bin sh -c \
	'cd / && umount -l /mnt && exec /lib/systemd/systemd --unit=nothing.target --log-target=console --show-status=0'
