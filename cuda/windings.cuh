// The ways in which sets of pixels wind around a cell: union and find without locks. DIM is 2 or 3.
//
// The word of a pixel has the pixel above it in its tree, and how often the way there crosses each edge of
// the cell; a tree's root is the first pixel of its part, since larger roots are hung below smaller ones. A
// contact of two pixels of one part closes a loop, whose crossings are a winding. What the windings of a set
// span does not depend on the order in which threads go, nor does what is kept of them:
// - in two dimensions the least and the greatest of them, as keys that multiples share;
// - in three the least, the least of the others, and whether there is one outside of the plane of these.
#pragma once
#include "cells.cuh"

namespace pearlite {

typedef unsigned long long Word;

constexpr Word no_member = ~Word(0);
constexpr int parent_bits = 30, turn_bits = DIM == 2 ? 17 : 11, turn_mask = (1 << turn_bits) - 1;
constexpr int most_turns = turn_mask >> 1;  // that a way may take about an axis
constexpr int key_words = DIM;              // of a set
constexpr int contacts = DIM == 2 ? 4 : 13;

struct Way {
  int parent;
  int turns[DIM];
};
__device__ static __forceinline__ Way way_to(int parent) {
  Way way = {};
  way.parent = parent;
  return way;
}
__device__ static __forceinline__ Word word_of(const Way& way) {
  Word word = Word(unsigned(way.parent));
#pragma unroll
  for (int a = 0; a < DIM; ++a) word |= Word(way.turns[a] & turn_mask) << (parent_bits + a * turn_bits);
  return word;
}
__device__ static __forceinline__ Way way_of(Word word) {
  Way way;
  way.parent = int(word & ((1 << parent_bits) - 1));
#pragma unroll
  for (int a = 0; a < DIM; ++a) {
    const int bits = int(word >> (parent_bits + a * turn_bits)) & turn_mask;
    way.turns[a] = bits - (bits >> (turn_bits - 1) << turn_bits);  // a number with a sign
  }
  return way;
}

__device__ static __forceinline__ Way root(Word* words, int at) {
  Way way = way_to(at);
  for (;;) {
    const Way step = way_of(atomicOr(words + way.parent, Word(0)));  // others may be changing it
    if (step.parent == way.parent) return way;
    way.parent = step.parent;
#pragma unroll
    for (int a = 0; a < DIM; ++a) way.turns[a] += step.turns[a];
  }
}

// Calls use(neighbour, turns) for the neighbours before a pixel, with the edges that are crossed.
template <class Use>
__device__ static __forceinline__ void each_contact(int at, const Size* n, const Use& use) {
  int place[DIM];
#pragma unroll
  for (int a = DIM - 1; a >= 0; --a) {
    const int side = int(n[a]), rest = at / side;
    place[a] = at - rest * side;
    at = rest;
  }
#pragma unroll 1
  for (int code = 0; code < contacts; ++code) {
    int other = 0, digits = code, turns[DIM], there[DIM];
#pragma unroll
    for (int a = DIM - 1; a >= 0; --a) {
      there[a] = place[a] + digits % 3 - 1;
      digits /= 3;
      turns[a] = there[a] < 0 ? -1 : there[a] >= n[a] ? 1 : 0;
    }
#pragma unroll
    for (int a = 0; a < DIM; ++a) other = other * int(n[a]) + there[a] - turns[a] * int(n[a]);
    use(other, turns);
  }
}

// Hangs the tree of a pixel and that of its neighbour together. False if the way would take too many turns.
__device__ static __forceinline__ bool join_trees(Word* words, int at, int other, const int* turns) {
  for (;;) {
    const Way a = root(words, at), b = root(words, other);
    if (a.parent == b.parent) return true;
    const bool hang = a.parent > b.parent;
    const int from = hang ? a.parent : b.parent;
    Way fresh = way_to(hang ? b.parent : a.parent);
    bool far = false;
#pragma unroll
    for (int d = 0; d < DIM; ++d) {
      // From a's root to the pixel, across, and on to b's root.
      const int way = turns[d] + b.turns[d] - a.turns[d];
      fresh.turns[d] = hang ? way : -way;
      far = far || way > most_turns || way < -most_turns;
    }
    if (far) return false;
    const Word old = word_of(way_to(from));
    if (atomicCAS(words + from, old, word_of(fresh)) == old) return true;
  }
}

// Windings by keys ---------------------------------------------------------------------------------------

constexpr int key_bits = DIM == 2 ? 32 : 21;

// Without common divisors, and with one sign.
template <class Integer>
__device__ static __forceinline__ void make_primitive(Integer* w) {
  Integer divisor = 0;
#pragma unroll
  for (int d = 0; d < DIM; ++d) {
    Integer b = w[d] < 0 ? -w[d] : w[d];
    while (b != 0) {
      const Integer rest = divisor % b;
      divisor = b;
      b = rest;
    }
  }
  bool negative = false, settled = false;
#pragma unroll
  for (int d = 0; d < DIM; ++d) {
    negative = negative || (!settled && w[d] < 0);
    settled = settled || w[d] != 0;
  }
#pragma unroll
  for (int d = 0; d < DIM; ++d)
    if (divisor != 0) w[d] /= negative ? -divisor : divisor;
}

// One key for all multiples of a winding.
__device__ static __forceinline__ Word winding_key(const int* winding) {
  int w[DIM];
  Word key = 0;
#pragma unroll
  for (int d = 0; d < DIM; ++d) w[d] = winding[d];
  make_primitive(w);
#pragma unroll
  for (int d = 0; d < DIM; ++d) key = key << key_bits | Word(w[d] + (1 << (key_bits - 2)));
  return key;
}
__device__ static __forceinline__ void winding_of(Word key, int* w) {
#pragma unroll
  for (int d = DIM - 1; d >= 0; --d) {
    w[d] = int(key & ((Word(1) << key_bits) - 1)) - (1 << (key_bits - 2));
    key >>= key_bits;
  }
}

// In which directions something goes around: they span a space of a rank.
struct Windings {
  int rank;
  double direction[DIM][DIM];  // the first `rank` rows, in turns; of full rank there is none

  __device__ bool along(int axis) const {
    bool any = rank == DIM;
#pragma unroll
    for (int k = 0; k < DIM; ++k) any = any || (k < rank && direction[k][axis] != 0);
    return any;
  }
};
__device__ static __forceinline__ Windings windings_of_rank(int rank) {
  Windings found = {};
  found.rank = rank;
  return found;
}

#if DIM == 2
// Enters a winding into the keys of its set, all ones and 0 before.
__device__ static __forceinline__ void enter(const int* winding, int, Word* key) {
  const Word found = winding_key(winding);
  atomicMin(key, found);
  atomicMax(key + 1, found);
}

__device__ static __forceinline__ Windings windings_of(const Word* key) {
  Windings found = windings_of_rank(key[0] == ~Word(0) ? 0 : key[0] == key[1] ? 1 : 2);
  int w[2];
  winding_of(key[0], w);
  for (int d = 0; d < 2; ++d) found.direction[0][d] = w[d];
  return found;
}
#else
__device__ static __forceinline__ void cross(const int* a, const int* b, long long* out) {
#pragma unroll
  for (int d = 0; d < 3; ++d) {
    const int e = (d + 1) % 3, f = (d + 2) % 3;
    out[d] = (long long)a[e] * b[f] - (long long)a[f] * b[e];
  }
}

// Enters a winding into the keys of its set, all ones, all ones and 0 before, in three turns.
__device__ static __forceinline__ void enter(const int* winding, int turn, Word* key) {
  if (turn == 0) {
    atomicMin(key, winding_key(winding));
    return;
  }
  if (key[turn - 1] == ~Word(0)) return;
  int first[3], second[3];
  long long normal[3];
  winding_of(key[0], first);
  cross(first, winding, normal);
  if (normal[0] == 0 && normal[1] == 0 && normal[2] == 0) return;
  if (turn == 1) {
    atomicMin(key + 1, winding_key(winding));
    return;
  }
  winding_of(key[1], second);
  if (normal[0] * second[0] + normal[1] * second[1] + normal[2] * second[2] != 0) atomicMax(key + 2, Word(1));
}

__device__ static __forceinline__ Windings windings_of(const Word* key) {
  Windings found = windings_of_rank(key[0] == ~Word(0) ? 0 : key[1] == ~Word(0) ? 1 : key[2] == 0 ? 2 : 3);
  int first[3], second[3];
  long long normal[3];
  winding_of(key[0], first);
  for (int d = 0; d < 3; ++d) found.direction[0][d] = first[d];
  if (found.rank != 2) return found;
  // The plane is the same whatever the trees are; so are these two of its directions.
  winding_of(key[1], second);
  cross(first, second, normal);
  make_primitive(normal);
  const double n0 = double(normal[0]), n1 = double(normal[1]), n2 = double(normal[2]);
  const bool across = n1 == 0 && n2 == 0;  // normal to axis 0
  const double own[2][3] = {{0, across ? 1 : n2, -n1}, {across ? 0 : n1 * n1 + n2 * n2, -n0 * n1, across ? 1 : -n0 * n2}};
  for (int k = 0; k < 2; ++k)
    for (int d = 0; d < 3; ++d) found.direction[k][d] = own[k][d];
  return found;
}
#endif

}  // namespace pearlite
