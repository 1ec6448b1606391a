#!/bin/bash
# coverage.sh PYTHON: runs all the tests on an extension that counts its lines, and prints one table
# for Python and C++. A line that only some machines can run counts as missing on the others.
set -euo pipefail
python=$1
folder=build/coverage
mkdir -p build
tests/cpp/build.sh "$python" "$folder" -DPEARLITE_COVERAGE=ON
find "$folder" -name '*.gcda' -delete
rm -f "$folder"/python* "$folder"/*.json

for isa in base x86-64-v3 x86-64-v4; do
  for exercise in "$folder"/exercise_*; do PEARLITE_ISA=$isa "$exercise"; done
done
failed=0
env PYTHONPATH="$PWD/tests/cpp/instrumented" PEARLITE_EXTENSION="$(echo "$PWD/$folder"/_core*.so)" \
  COVERAGE_FILE="$PWD/$folder/python" "$python" -m pytest -q -p no:cacheprovider \
  --cov=pearlite --cov-config=tests/cpp/coverage.ini --cov-report="xml:$folder/python.xml" || failed=$?

# A line of a template counts as run if it ran in one of its instances. The counters of the inner
# loops reach billions, which gcovr takes for an error of gcov's unless told not to.
gcovr=("$python" -m gcovr --root . --merge-lines --merge-mode-functions=merge-use-line-min)
"${gcovr[@]}" --filter cpp/ --gcov-suspicious-hits-threshold=0 --json "$folder/cpp.json" "$folder"
"${gcovr[@]}" --add-tracefile "$folder/cpp.json" --cobertura-add-tracefile "$folder/python.xml" --txt
exit "$failed"
