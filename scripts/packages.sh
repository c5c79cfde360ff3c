# Debian packages, by what needs them. Read by scripts/lib.sh.

BUILD_PACKAGES=(
    g++ cmake ninja-build pkg-config ccache
    xeus-dev libzmq3-dev cppzmq-dev nlohmann-json3-dev nettle-dev libxxhash-dev libseccomp-dev libcli11-dev
    libtomlplusplus-dev libspdlog-dev
    python3 python3-venv
)

# clang: fuzz targets and clang-tidy. chromium and a font: JupyterLab as people see it. bubblewrap: the isolation
# backend of that name. curl: a client of allowed network names.
TEST_PACKAGES=(
    libgtest-dev libgmock-dev
    clang clang-format clang-tidy libclang-rt-14-dev
    chromium fonts-dejavu-core
    bubblewrap curl
)
# Node runs VS Code's client library. It may come from elsewhere, with an npm that excludes Debian's.
command -v npm >/dev/null || TEST_PACKAGES+=(nodejs npm)

# Languages of `cellblock run`, where no other toolchain of theirs is to be found.
command -v go >/dev/null || TEST_PACKAGES+=(golang-go)
command -v rustc >/dev/null || TEST_PACKAGES+=(rustc cargo)
command -v javac >/dev/null || TEST_PACKAGES+=(default-jdk-headless)

# A host with systemd and cgroup version 2, emulated.
RIG_PACKAGES=(qemu-system-x86 mmdebstrap uidmap kmod cpio e2fsprogs zstd xz-utils)
