#!/usr/bin/env bash
# Builds the parts of the loopback phone: the real adbd of Android, and the program that stands in for
# Google's benchmark_model.
#
#     build.sh OUT_FOLDER LITERT_FOLDER
#
# OUT_FOLDER gets `adbd` and `benchmark_model`; LITERT_FOLDER is where pip put the package ai_edge_litert.
# adbd comes from Debian's source package android-platform-tools (29.0.6 in Debian 12), which holds the whole
# of AOSP's daemon although Debian itself only packages the client. About a minute on two cores.
set -euo pipefail

out=$(realpath -m "$1")
litert=$(realpath "$2")
here=$(dirname "$(realpath "$0")")
version=29.0.6
# Beside the result, so that what a killed build left (half a gigabyte) goes with the next one.
work=$out.work
rm -rf "$work"
mkdir -p "$work"
trap 'rm -rf "$work"' EXIT

# What the build and the tests need. Installed only where something is missing: a machine without root or
# without a network can be prepared by hand.
packages=(adb android-libbase-dev android-libboringssl-dev android-libcutils-dev android-liblog-dev dpkg-dev
    g++ libcap-dev util-linux)
if ! dpkg -s "${packages[@]}" >/dev/null 2>&1; then
    if [ "$(id -u)" != 0 ]; then
        echo "packages are missing; install them with: sudo apt-get install ${packages[*]}" >&2
        exit 1
    fi
    # Another apt may be at work (two checkouts tested at once): wait for it.
    apt-get -qq -o DPkg::Lock::Timeout=300 update
    DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300 install -y --no-install-recommends \
        "${packages[@]}" >&2
fi

# The runner, linked with the runtime at the place where the phone has it.
g++ -O2 -Wall -Wextra -o "$work/benchmark_model" "$here/runner.cpp" \
    -L"$litert" -lLiteRt -Wl,-rpath,/system/lib64

# `apt-get source` needs deb-src lines. They are the machine's own deb lines, in an apt of our own: the
# machine's configuration stays as it is.
mkdir -p "$work/apt/lists/partial" "$work/apt/sources.list.d"
find /etc/apt/sources.list.d -name '*.sources' -exec cat {} + 2>/dev/null |
    sed 's/^Types:.*/Types: deb-src/' > "$work/apt/sources.list.d/source.sources"
find /etc/apt -maxdepth 2 -name '*.list' -exec cat {} + 2>/dev/null |
    sed -n 's/^deb /deb-src /p' > "$work/apt/sources.list.d/source.list"
cat > "$work/apt/apt.conf" <<EOF
Dir::Etc::sourcelist "/dev/null";
Dir::Etc::sourceparts "$work/apt/sources.list.d";
Dir::State::lists "$work/apt/lists";
APT::Sandbox::User "root";
EOF
export APT_CONFIG=$work/apt/apt.conf
# A repository of someone else that has no sources must not stand in the way.
apt-get -qq update || true
(cd "$work" && apt-get -qq source android-platform-tools) >&2
unset APT_CONFIG
if ! cd "$work/android-platform-tools-$version"; then
    echo "this Debian has another version of android-platform-tools than $version, the one of Debian 12" >&2
    exit 1
fi

# Where AOSP's clang and a phone differ from g++ and a test:
# - g++ does not know clang's attributes for thread safety analysis.
sed -i 's/__attribute__((x))//' system/core/base/include/android-base/thread_annotations.h
# - The daemon must not be reachable from other machines: it listens on the loopback address only, and not on
#   vsock, where a hypervisor's other guests could see it.
sed -i 's/network_inaddr_any_server(port, SOCK_STREAM, error)/network_loopback_server(port, SOCK_STREAM, error, true)/' \
    system/core/adb/socket_spec.cpp
sed -i '/StringPrintf("vsock:%d", port)/d' system/core/adb/daemon/main.cpp
# - There are no Java processes to debug, and the service for them claims a name that all phones of one network
#   namespace would share.
sed -i '/^    init_jdwp();/d' system/core/adb/daemon/main.cpp
# Each must have taken effect: a new version of the sources would otherwise quietly do without.
! grep -q '__attribute__((x))' system/core/base/include/android-base/thread_annotations.h
! grep -q 'network_inaddr_any_server' system/core/adb/socket_spec.cpp
! grep -Eq 'vsock:%d", port|^    init_jdwp' system/core/adb/daemon/main.cpp

# The files of the Soong modules adbd, libadbd_core, libadbd_services (see system/core/adb/Android.bp) and of
# the small libraries that Debian does not package.
adb=(adb adb_io adb_listeners adb_trace adb_unique_fd adb_utils fdevent/fdevent fdevent/fdevent_epoll
    fdevent/fdevent_poll services shell_service_protocol socket_spec sockets sysdeps/errno sysdeps/posix/network
    sysdeps_unix transport transport_fd transport_local transport_usb types adbconnection/adbconnection_server
    daemon/auth daemon/file_sync_service daemon/jdwp_service daemon/main daemon/services daemon/shell_service
    daemon/usb_dummy)
others=(frameworks/native/libs/adbd_auth/adbd_auth.cpp system/core/diagnose_usb/diagnose_usb.cpp
    system/core/libasyncio/AsyncIO.cpp system/core/libcrypto_utils/android_pubkey.c)

# The headers of the sources come before Debian's: one of them is patched. -w: the warnings are not ours.
export flags="-w -O1 -D_GNU_SOURCE -DADB_HOST=0 -DALLOW_ADBD_ROOT=0
    -DADB_VERSION=\"$version\" -DPLATFORM_TOOLS_VERSION=\"$version\"
    -Isystem/core/base/include -I/usr/include/android -Isystem/core/adb -Isystem/core/adb/daemon/include
    -Isystem/core/adb/adbconnection/include -Iframeworks/native/libs/adbd_auth/include
    -Isystem/core/libasyncio/include -Isystem/core/diagnose_usb/include -Isystem/core/libcrypto_utils/include
    -Isystem/core/libcutils/include -Isystem/core/include"
# -fpermissive and the includes: libstdc++ includes less by the way than the libc++ that AOSP is built with.
export cxxflags="-std=gnu++2a -fpermissive -include atomic -include optional"
compile() {
    local object
    object=${1//\//_}.o
    case $1 in
        *.c) gcc $flags -c -o "objects/$object" "$1" ;;
        *) g++ $flags $cxxflags -c -o "objects/$object" "$1" ;;
    esac
}
export -f compile
mkdir objects
printf '%s\n' "${adb[@]/#/system/core/adb/}" | sed 's/$/.cpp/' | cat - <(printf '%s\n' "${others[@]}") |
    xargs -P "$(nproc)" -I{} bash -euc 'compile {}' >&2

libraries=/usr/lib/$(gcc -print-multiarch)/android
g++ -o "$work/adbd" objects/*.o -L"$libraries" -Wl,-rpath,"$libraries" \
    -lbase -lcrypto -lcutils -llog -lcap -lresolv -lutil -lpthread

mkdir -p "$out"
mv "$work/adbd" "$work/benchmark_model" "$out/"
