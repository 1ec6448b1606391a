"""The emulated card: what it computes, and that it finds what a card would let pass."""

import functools

import numpy as np
import pytest
from emulator import build

SUM = """
extern "C" __global__ void sum(const float* x, float* out, int n) {
  PEARLITE_SHARED(float, part);
  float total = 0;
  for (int i = threadIdx.x; i < n; i += blockDim.x) total += x[blockIdx.x * n + i];
  for (int k = 16; k > 0; k /= 2) total += __shfl_xor_sync(0xffffffffu, total, k);
  if (threadIdx.x % 32 == 0) part[threadIdx.x / 32] = total;
  __syncthreads();
  if (threadIdx.x != 0) return;
  for (int w = 1; w < int(blockDim.x) / 32; ++w) total += part[w];
  out[blockIdx.x] = total;
}
"""
TURN = """
extern "C" __global__ void turn(int* x) {
  PEARLITE_SHARED(int, kept);
  kept[threadIdx.x] = x[threadIdx.x];
  BARRIER
  x[threadIdx.x] = kept[blockDim.x - 1 - threadIdx.x];
}
"""
VOTES = """
extern "C" __global__ void votes(unsigned* votes, float* down, double* total, int* most) {
  const int lane = threadIdx.x % 32;
  const unsigned v = __ballot_sync(0xffffffffu, lane % 3 == 0);
  if (lane == 0 && blockIdx.x == 0) votes[threadIdx.x / 32] = v;
  float value = __shfl_down_sync(0xffffffffu, float(lane), 4);
  if (lane < 8) value += __shfl_up_sync(0xffu, 100.0f * lane, 2);
  if (blockIdx.x == 0) down[threadIdx.x] = value;
  atomicAdd(total, 0.5);
  atomicMax(most, int(threadIdx.x));
}
"""
BARRIER = "__syncthreads();"
MAIN = """
int x[64];
for (int i = 0; i < 64; ++i) x[i] = i;
int* at = x;
void* arguments[] = {&at};
const unsigned sizes[] = {1, 1, 1, 64, 1, 1};
char said[200];
launch_turn(arguments, sizes, SHARED, 0, said, sizeof said);
std::printf("%d %s", x[0], said);
"""


@functools.cache
def module():
    """All kernels of this page, compiled together."""
    turns = TURN.replace("BARRIER", BARRIER), TURN.replace("BARRIER", "").replace("turn", "twist")
    wrong = [
        f'extern "C" __global__ void divergent{k}(int* x) {{\n x[0] = 0;\n{body}\n}}\n'
        for k, (body, _) in enumerate(DIVERGENT)
    ]
    return build.Module("".join([SUM, VOTES, *turns, *wrong]), (), "")


def pointer(array):
    return np.uint64(array.ctypes.data).tobytes()


@pytest.mark.parametrize("threads", [32, 96, 256])
@pytest.mark.parametrize("order", [0, 1, 7])
def test_a_sum_in_blocks(threads, order):
    x = np.arange(5 * 77, dtype=np.float32).reshape(5, 77)
    out = np.zeros(5, np.float32)
    arguments = [pointer(x), pointer(out), np.int32(77).tobytes()]
    module().launch("sum", (5, 1, 1), (threads, 1, 1), arguments, threads // 32 * 4, order)
    np.testing.assert_array_equal(out, x.sum(axis=1))


@pytest.mark.parametrize(("name", "first"), [("turn", 63), ("twist", -1)])
def test_a_missing_barrier_shows_at_once(name, first):
    """What is read before it is written is poison."""
    x = np.arange(64, dtype=np.int32)
    module().launch(name, (1, 1, 1), (64, 1, 1), [pointer(x)], 256)
    assert x[0] == first


@pytest.mark.parametrize(("barrier", "found"), [(BARRIER, False), ("", True)])
def test_a_missing_barrier_is_a_race(barrier, found):
    done = build.run_program(
        TURN.replace("BARRIER", barrier), MAIN.replace("SHARED", "256"), "thread"
    )
    assert ("data race" in done.stderr) == found, done.stderr
    assert (done.returncode != 0) == found
    assert found or done.stdout == "63 "


@pytest.mark.parametrize(("size", "found"), [(256, False), (252, True)])
def test_a_stray_access_is_found(size, found):
    done = build.run_program(
        TURN.replace("BARRIER", BARRIER), MAIN.replace("SHARED", str(size)), "address"
    )
    assert ("heap-buffer-overflow" in done.stderr) == found, done.stderr
    assert (done.returncode != 0) == found
    x = np.arange(64, dtype=np.int32)
    call = ("turn", (1, 1, 1), (64, 1, 1), [pointer(x)], size)
    if found:
        with pytest.raises(build.EmulatorError, match="outside of its shared memory"):
            module().launch(*call)
    else:
        module().launch(*call)


DIVERGENT = [
    ("if (threadIdx.x < 40) __syncthreads();", "divergent barrier.*has ended"),
    (
        "if (threadIdx.x < 40) {\n __syncthreads();\n } else {\n __syncthreads();\n }",
        r"divergent barrier.*line \d+, thread \d+ waits at the barrier",
    ),
    ("if (threadIdx.x < 40) __syncwarp();", "divergent warp"),
    ("if (threadIdx.x % 2) x[0] = __shfl_sync(0xffffffffu, 1, 0);", "divergent warp"),
    ("if (threadIdx.x == 0) __syncwarp(); else __syncthreads();", "divergent"),
    ("x[threadIdx.x] = __shfl_sync(1u << threadIdx.x % 32, 1, 5);", "its mask leaves out"),
]


@pytest.mark.parametrize("which", range(len(DIVERGENT)))
def test_divergence_is_found(which):
    x = np.zeros(64, np.int32)
    with pytest.raises(build.EmulatorError, match=DIVERGENT[which][1]):
        module().launch(f"divergent{which}", (1, 1, 1), (64, 1, 1), [pointer(x)])


def test_votes_shuffles_and_atomics():
    votes, down = np.zeros(2, np.uint32), np.zeros(64, np.float32)
    total, most = np.zeros(1), np.zeros(1, np.int32)
    arguments = [pointer(votes), pointer(down), pointer(total), pointer(most)]
    module().launch("votes", (3, 1, 1), (64, 1, 1), arguments)
    lanes = np.arange(32)
    wanted = np.where(lanes < 28, lanes + 4, lanes).astype(float)
    wanted[:8] += [0, 100, 0, 100, 200, 300, 400, 500]
    np.testing.assert_array_equal(down, np.tile(wanted, 2))
    assert votes.tolist() == [sum(1 << k for k in range(0, 32, 3))] * 2
    assert total[0] == 96
    assert most[0] == 63


def test_parameters_are_held_against_the_arguments():
    library = module()
    assert library.parameters("sum") == [8, 8, 4]
    with pytest.raises(build.EmulatorError, match="parameters of"):
        library.launch("sum", (1, 1, 1), (32, 1, 1), [bytes(8), bytes(8), bytes(8)])


@pytest.mark.parametrize("name", ["write", "read", "step", "advance", "round"])
def test_a_kernel_may_have_the_name_of_a_library_function(name):
    source = f'extern "C" __global__ void {name}(int* x, int n) {{ x[threadIdx.x] = n; }}'
    x = np.zeros(3, np.int32)
    call = (1, 1, 1), (3, 1, 1), [pointer(x), np.int32(7).tobytes()]
    build.Module(source, (), "").launch(name, *call)
    assert x.tolist() == [7, 7, 7]


def test_static_shared_memory_is_refused():
    """It could not be poisoned, nor cut off."""
    with pytest.raises(build.EmulatorError, match="__shared__"):
        build.Module('extern "C" __global__ void f(int* x) { __shared__ int y[3]; }', ())
