#!/bin/bash
# sanitize.sh PYTHON: runs the kernels, and their tests, under AddressSanitizer with
# UndefinedBehaviorSanitizer, and what has threads under ThreadSanitizer; those of CUDA too, on an
# emulated card, and compiled for all cards. The first finding ends it.
set -euo pipefail
python=$1
isas="base x86-64-v3 x86-64-v4"  # one that this machine lacks runs as the next lower one
export ASAN_OPTIONS=abort_on_error=1:detect_stack_use_after_return=1
export UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1
export TSAN_OPTIONS=halt_on_error=1:die_after_fork=0:second_deadlock_stack=1

at_once="-n auto --dist worksteal"  # a process for each core

note() { printf '%4d s  %s\n' "$SECONDS" "$1"; }

# The extension of one build under the tests; the sanitizer has to be there before Python is, which
# keeps its memory until the end, as it always does.
test_with() {
  local folder=$1 libraries=$2
  shift 2
  env PYTHONPATH="$PWD/tests/cpp/instrumented" PEARLITE_EXTENSION="$(echo "$PWD/$folder"/_core*.so)" \
    LD_PRELOAD="$libraries" ASAN_OPTIONS="$ASAN_OPTIONS:detect_leaks=0" \
    "$python" -m pytest -q -p no:cacheprovider $at_once "$@"
}

mkdir -p build
note "compiling for AddressSanitizer"
tests/cpp/build.sh "$python" build/address -DPEARLITE_SANITIZE=address
for isa in $isas; do
  for exercise in build/address/exercise_*; do PEARLITE_ISA=$isa "$exercise"; done
done
note "kernel tests under AddressSanitizer"
# Left out: repetitions of what others do, which take as long as all the rest; and what imports
# torch, whose own code and threads are not compiled for a sanitizer.
left_out="torch or many_laminates or oblong_pixels or does_not_depend_on_its_batch"
# libstdc++ comes along, else the interceptors of exceptions find none in a Python that is plain C.
test_with build/address "$(gcc -print-file-name=libasan.so) $(gcc -print-file-name=libstdc++.so)" \
  -k "not ($left_out)" tests/test_arrays*.py tests/test_corrector*.py tests/test_instruction_sets.py \
  tests/test_threads.py tests/test_bounds*.py tests/test_voxels.py tests/test_extremes.py tests/test_gradient.py \
  tests/test_annealing.py tests/test_bispectrum.py tests/test_descriptor.py \
  tests/test_gaussian_field_samples.py tests/test_generation_engine.py tests/test_kernel_loss.py \
  tests/test_laguerre_{assign,cells,relax}.py tests/test_langevin.py tests/test_langevin_normal.py \
  tests/test_statistics.py tests/test_two_point.py

note "compiling for ThreadSanitizer"
tests/cpp/build.sh "$python" build/thread -DPEARLITE_SANITIZE=thread
for exercise in build/thread/exercise_*; do "$exercise" threads; done
note "threaded tests under ThreadSanitizer"
# ThreadSanitizer itself does not survive a fork in the middle of others' work.
test_with build/thread "$(gcc -print-file-name=libtsan.so)" \
  -k "(threads or thread) and not torch and not forked_while_other_threads" tests/test_threads.py \
  tests/test_bispectrum.py tests/test_generation_engine.py tests/test_laguerre_*.py \
  tests/test_two_point.py
# The kernels of CUDA on the emulated card: stray accesses, then races, each CUDA thread one of the
# system's, of which a launch has hundreds; then all architectures that they are compiled for.
emulated_with() {
  local instruments=$1 libraries=$2
  shift 2
  env PEARLITE_EMULATOR="$instruments" LD_PRELOAD="$libraries" \
    ASAN_OPTIONS="abort_on_error=1:detect_leaks=0" \
    "$python" -m pytest -q -p no:cacheprovider $at_once "$@"
}
note "CUDA kernels under AddressSanitizer"
emulated_with address "$(gcc -print-file-name=libasan.so) $(gcc -print-file-name=libstdc++.so)" \
  -k "not torch and not tensors and not many_seeds and not shape0 and not shape1 and not shape3" \
  tests/test_cuda_[!c]*.py tests/test_cuda_corrector.py tests/test_cuda_corrector_tiles.py
note "CUDA kernels under ThreadSanitizer"
emulated_with thread "$(gcc -print-file-name=libtsan.so)" \
  "tests/test_cuda_corrector.py::test_shapes[shape1-float32]" \
  "tests/test_cuda_corrector_tiles.py::test_to_the_last_digits[shape0]" \
  "tests/test_cuda_voxels.py::test_shapes[shape1-float32]" \
  "tests/test_cuda_voxel_crystals.py::test_shapes[shape1-float32]" \
  "tests/test_cuda_langevin.py::test_normals[65-float64]" \
  "tests/test_cuda_langevin.py::test_steps[2-shape1-3-float32]" \
  "tests/test_cuda_langevin.py::test_steps[0-shape4-9-float64]" \
  "tests/test_cuda_laguerre.py::test_labels[30-shape6-True-additive-float32]" \
  "tests/test_cuda_laguerre.py::test_relaxed_fields_and_gradients[0.02-shape5-True-power-float64]" \
  "tests/test_cuda_measures.py::test_centroids[True-int32-shape2]" \
  "tests/test_cuda_faces.py::test_neighbours[uint8-shape2]" \
  "tests/test_cuda_two_point.py::test_fields[True-shape3-False-float32]" \
  "tests/test_cuda_descriptor.py::test_statistics[shape1-radius1-logistic-float64]" \
  "tests/test_cuda_descriptor.py::test_gradients[shape0-radius0-centred-float32]" \
  "tests/test_cuda_bispectrum.py::test_beside_the_cpu[shape4-float64]" \
  "tests/test_cuda_annealing.py::test_the_same_chains[shape4-3]"
note "CUDA kernels by NVIDIA's compilers, and read by clang-tidy"
"$python" -m pytest -q -p no:cacheprovider $at_once -m "" tests/test_cuda_compile.py \
  tests/test_cuda_static.py

note "clean"
