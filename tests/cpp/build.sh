#!/bin/bash
# build.sh PYTHON FOLDER [-DOPTION=...]...: compiles the extension and the programs of this folder
# into FOLDER, with the instruments that the options name. GCC, since its sanitizers are loaded.
set -euo pipefail
python=$1 folder=$2
shift 2
options=(-G Ninja -DCMAKE_CXX_COMPILER=g++ -DPEARLITE_EXERCISES=ON "-DPython_EXECUTABLE=$python"
  "-Dpybind11_DIR=$("$python" -m pybind11 --cmakedir)")
if [ -d "${HEADERS:-}" ]; then
  options+=("-DPython_INCLUDE_DIR=$(echo "$HEADERS"/usr/include/python3*)")
  export CPATH="$HEADERS/usr/include"
fi
cmake -S . -B "$folder" "${options[@]}" "$@" > "$folder.log" 2>&1 || { cat "$folder.log" >&2; exit 1; }
cmake --build "$folder" ${JOBS:+-j "$JOBS"} > "$folder.log" 2>&1 || { cat "$folder.log" >&2; exit 1; }
