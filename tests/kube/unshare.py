"""unshare(1), as it works in a chroot too: there the root is no mount, so that mounts cannot be made private from it."""


def root_is_a_mount():
    with open("/proc/self/mountinfo") as mounts:
        return any(line.split()[4] == "/" for line in mounts)


UNSHARE = ["unshare", *([] if root_is_a_mount() else ["--propagation", "unchanged"])]
