// Labels of the pixels of a small box, at most 16 along the last axis, from its candidates.
//
// For 16 pixels at once the least score and the one after it are found. Where these are so close that
// their order may be one of rounding, the definition decides.
#pragma once
#include "laguerre/additive_scores.hpp"
#include "laguerre/assign_task.hpp"

namespace pearlite {
namespace PEARLITE_ISA {

template <int D>
struct Tile {
  int64_t begin[D], count[D];  // pixels
};

// labels of the cell: (*shape); row (i, j) of a tile, in two dimensions j alone
template <int D, class Label>
PEARLITE_INLINE Label* row_of(Label* labels, const int64_t* n, const Tile<D>& tile, int64_t i, int64_t j) {
  const int64_t row = D == 3 ? (tile.begin[0] + i) * n[1] + tile.begin[1] + j : tile.begin[0] + j;
  return labels + row * n[D - 1] + tile.begin[D - 1];
}

// The seeds of up to 256 candidates, by number.
class Numbers {
 public:
  Numbers(const int32_t* index, int64_t count) : index_(index), few_(count <= 16) {
    for (int64_t k = 0; k < count && k < 16; ++k) table_[k] = index[k];
  }

  // The labels of 16 pixels, of which the first `count` are written; mask: the bits of a number.
  template <bool full, class Label>
  PEARLITE_INLINE void store(const Ints& scores, uint32_t mask, Label* out, int64_t count) const {
#if defined(__AVX512F__)
    if (few_) {
      const __m512i found = _mm512_maskz_permutexvar_epi32(0xffff, (__m512i)scores.r[0], _mm512_load_si512(table_));
      alignas(64) Label narrow[16];
      Label* to = full ? out : narrow;
      if constexpr (sizeof(Label) == 1) _mm_storeu_si128((__m128i*)to, _mm512_maskz_cvtepi32_epi8(0xffff, found));
      else if constexpr (sizeof(Label) == 2) _mm256_storeu_si256((__m256i*)to, _mm512_maskz_cvtepi32_epi16(0xffff, found));
      else _mm512_storeu_si512(to, found);
      for (int64_t x = 0; !full && x < count; ++x) out[x] = narrow[x];
      return;
    }
#endif
    alignas(64) uint32_t numbers[16];
    scores.store(numbers);
    for (int64_t x = 0; x < (full ? 16 : count); ++x) out[x] = Label(index_[numbers[x] & mask]);
  }

 private:
  const int32_t* index_;
  alignas(64) int32_t table_[16] = {};
  bool few_;
};

template <class Scores, int D, class Label>
class Leaf {
 public:
  Leaf(const AssignTask& task, const Candidates<D>& list, const Tile<D>& tile)
      : task_(task), list_(list), tile_(tile), n_(task.exact.shape), labels_(static_cast<Label*>(task.labels)) {}

  // Returns for how many pixels the definition was asked; -1 if it should be for all, and nothing is done.
  int64_t run(Scores& scores, const Box<D>& box, const Slack& slack) {
    const int bits = list_.count <= 16 ? 4 : 32 - __builtin_clz(uint32_t(list_.count - 1));
    mask_ = (1u << bits) - 1;
    limit_ = scores.prepare(list_, box, tile_.count, n_, bits, slack.score);
    if (limit_ == 0) return -1;
    const Numbers numbers(list_.index, list_.count);
    const int64_t height = tile_.count[D - 2];
    for (int64_t i = 0; i < (D == 3 ? tile_.count[0] : 1); ++i)
      for (int64_t j = 0; j < height; j += rows) {
        if (height - j >= rows && tile_.count[D - 1] == 16) block<true>(scores, numbers, i, j, rows);
        else block<false>(scores, numbers, i, j, height - j < rows ? int(height - j) : rows);
      }
    return settled_;
  }

 private:
  static constexpr uint32_t unset = 0x7f000000;  // above every score, also as a float
  // As many as the registers hold.
  static constexpr int rows = PEARLITE_REGISTER_BYTES == 64 ? 8 : 2;

  // Rows from (i, j) on, of which `last` are in the tile; full: all, with 16 pixels each.
  template <bool full>
  PEARLITE_INLINE void block(const Scores& scores, const Numbers& numbers, int64_t i, int64_t j, int last) {
    Ints best[rows], second[rows], closest = Ints::all(~0u);
    for (int r = 0; r < rows; ++r) {
      best[r] = Scores::has_zero ? Scores::zero() : Ints::all(unset);
      second[r] = Ints::all(unset);
    }
    const int64_t count = list_.count;
    for (int64_t k = Scores::has_zero; k < count; ++k) {
      auto row = scores.template rows<rows>(k, i, j);
      for (int r = 0; r < rows; ++r) {
        const Ints score = row.next(r);
        second[r] = min(second[r], max(best[r], score));
        best[r] = min(best[r], score);
      }
    }
    Label* out = row_of(labels_, n_, tile_, i, j);
    const int64_t pitch = n_[D - 1], width = tile_.count[D - 1];
    for (int r = 0; r < rows; ++r) {
      if (!full && r == last) break;
      closest = min(closest, Scores::gap(best[r], second[r]));
      numbers.store<full>(best[r], mask_, out + r * pitch, width);
    }
    if (!bits_below(closest, Ints::all(limit_ + 1))) return;
    for (int r = 0; r < last; ++r) settle(Scores::gap(best[r], second[r]), i, j + r);
  }

  void settle(const Ints& gap, int64_t i, int64_t j) {
    uint32_t close = bits_below(gap, Ints::all(limit_ + 1)) & ((2u << (tile_.count[D - 1] - 1)) - 1);
    for (; close; close &= close - 1) {
      const int64_t x = __builtin_ctz(close);
      int64_t pixel[3] = {tile_.begin[0] + (D == 3 ? i : j), tile_.begin[1] + (D == 3 ? j : x), 0};
      if (D == 3) pixel[2] = tile_.begin[D - 1] + x;
      ++settled_;
      row_of(labels_, n_, tile_, i, j)[x] = Label(exact_label(task_.exact, pixel, list_.index, list_.count));
    }
  }

  const AssignTask& task_;
  const Candidates<D>& list_;
  const Tile<D>& tile_;
  const int64_t* n_;
  Label* labels_;
  uint32_t mask_ = 0, limit_ = 0;
  int64_t settled_ = 0;
};

}  // namespace PEARLITE_ISA
}  // namespace pearlite
