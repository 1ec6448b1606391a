// The score network of a generator, evaluated on images: a U-Net of constant width whose layers are
// a convolution, InstanceNorm++ (Song and Ermon 2019) and a PReLU for each channel.
//
// A layer leaves the values of its convolution without the bias, and sums of them; the next layer
// applies the norm and the PReLU while it loads. 3×3 convolutions are Winograd's F(4×4, 3×3), see
// winograd.hpp.
//
// Values lie where these tiles of 4×4 pixels are found without a shuffle, in the order in which
// they are computed: pieces of `group` registers of tiles, in each the channels, the 4×4 places in
// a tile, and then the tiles; so 16 neighbours in memory belong to 16 tiles, and all that a piece
// reads lies together.
#pragma once
#include <cstdint>

#include "dispatch.hpp"

namespace pearlite {

constexpr int tile = 4;        // pixels of a tile along each axis
constexpr int positions = 36;  // of a transformed tile, (4 + 3 − 1)²
constexpr int group = 2;  // registers of tiles in a piece: side by side, or one above the other

// The pixels of a level.
struct ScoreGrid {
  int64_t n0 = 0, n1 = 0;
  int64_t tile_rows = 0, tiles = 0;  // tiles down, and across
  int64_t vectors = 0;               // registers in a row of tiles
  int64_t across = 1, down = 1;      // of a piece: registers, and rows of tiles
  int64_t pieces_across = 0, pieces_down = 0;
  // Floats from a place in a tile, a channel, a piece to the next.
  int64_t line = 0, channel = 0, piece = 0;
};

// conv: 3×3; down: 2×2 of stride 2; up: its transpose; merge: 1×1 of two sources, one behind the
// other.
enum class ScoreKind { conv, down, up, merge };

// Channels to read: value · scale + shift, and then the PReLU. Without a scale: an image, row by
// row.
struct ScoreSource {
  const float* values = nullptr;
  const float *scale = nullptr, *shift = nullptr, *slope = nullptr;  // (channels)
};

// One layer of one image.
struct ScoreTask {
  ScoreKind kind = ScoreKind::conv;
  bool periodic = false;            // else zeros are around the image
  int64_t inputs = 0, outputs = 0;  // channels of each source, and of the result
  const float* weights = nullptr;   // as `pack` leaves them
  ScoreGrid in, out;
  ScoreSource source[2];
  int64_t ahead = 1;  // from a piece to the one that the same thread probably takes next
  float* to = nullptr;
  double* sums =
      nullptr;  // (pieces, outputs, 2): of values and of squares; null for the last layer, whose
  const float* bias = nullptr;  // (outputs) result is an image, (value + bias) / sigma
  float sigma = 1;
};

struct ScoreKernels {
  int lanes;
  int block;  // most outputs that are computed at once, which the packed weights follow
  int64_t (*work_size)(const ScoreTask&);  // floats
  // A layer's pieces are the same for any number of threads: those of the result, of `up` of the
  // source.
  void (*run)(const ScoreTask&, int64_t piece, float* work);
};
PEARLITE_DECLARE_KERNELS(ScoreKernels, score_kernels)

// Outputs in a block: as few blocks as there can be, of nearly the same size.
static inline int64_t score_block(int64_t outputs, int64_t most) {
  const int64_t blocks = (outputs + most - 1) / most;
  return (outputs + blocks - 1) / blocks;
}

}  // namespace pearlite
