#!/bin/bash
# headers.sh PYTHON FOLDER: makes sure that Python's C headers are at hand.
#
# Debian and Ubuntu keep them in a package of their own, python3-dev, which their python3-venv does
# not bring. Where they are missing, that package is unpacked into FOLDER/usr/include: nothing is
# installed on the system, and no root is needed.
set -euo pipefail
python=$1 folder=$2

if "$python" -c 'import sysconfig, pathlib, sys
sys.exit(not (pathlib.Path(sysconfig.get_path("include")) / "Python.h").exists())'; then
  exit 0
fi

version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
missing() {
  echo "Python.h of Python $version is missing and could not be downloaded." >&2
  echo "On Debian or Ubuntu: apt install python$version-dev" >&2
  exit 1
}
command -v apt-get dpkg-deb > /dev/null || missing
echo "fetching the headers of Python $version"
mkdir -p "$folder"/apt/{lists,cache}/partial
cd "$folder"
options=(-qq -o Dir::State::Lists="$PWD/apt/lists" -o Dir::Cache="$PWD/apt/cache"
  -o APT::Sandbox::User=)
apt-get "${options[@]}" update || missing
apt-get "${options[@]}" download "libpython$version-dev" || missing
dpkg-deb --extract "libpython$version-dev_"*.deb .
rm -rf apt ./*.deb usr/{bin,lib,share,src}
[ -e "usr/include/python$version/Python.h" ] || missing
