#!/bin/sh
# The first process of a phone: lays out its file system and then holds it until its input ends, which also
# happens when the process that started it is killed. It is run by `unshare --mount --pid --fork`, so that all
# mounts are the phone's own and every process on the phone dies with this one.
#
#     phone.sh ROOT LITERT_LIBRARY DISK_BYTES
set -e
root=$1 library=$2 disk_bytes=$3

# /proc is still that of the machine: our number there is what the test needs to enter the phone.
read -r pid _ < /proc/self/stat
echo "$pid"

mount --bind "$root" "$root"
cd "$root"
mount --rbind /usr usr
for device in null zero random urandom tty; do mount --bind "/dev/$device" "dev/$device"; done
mount -t devpts -o newinstance,ptmxmode=0666 devpts dev/pts
mount --bind "$library" system/lib64/libLiteRt.so
mount -t proc proc proc
mount -t tmpfs -o "size=$disk_bytes,mode=0771" tmpfs data/local/tmp
pivot_root . old
cd /
umount -l /old
echo ready
exec cat > /dev/null
