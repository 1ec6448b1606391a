// Integers of 128 bits, two's complement: what the CPU's kernels have from their compiler.
#pragma once
#include "common.cuh"

namespace pearlite {

struct Wide {
  long long high;
  unsigned long long low;

  __device__ __forceinline__ Wide(long long x) : high(x < 0 ? -1 : 0), low((unsigned long long)x) {}
  __device__ __forceinline__ Wide(long long h, unsigned long long l) : high(h), low(l) {}

  __device__ __forceinline__ Wide operator+(const Wide& y) const {
    const unsigned long long sum = low + y.low;
    return {high + y.high + (sum < low ? 1 : 0), sum};
  }
  __device__ __forceinline__ Wide operator-(const Wide& y) const {
    return {high - y.high - (low < y.low ? 1 : 0), low - y.low};
  }
  __device__ __forceinline__ Wide operator*(const Wide& y) const {
    const unsigned long long crossed = (unsigned long long)high * y.low + low * (unsigned long long)y.high;
    return {(long long)(__umul64hi(low, y.low) + crossed), low * y.low};
  }
  __device__ __forceinline__ bool operator<(const Wide& y) const {
    return high < y.high || (high == y.high && low < y.low);
  }
  // Rounded to nearest, as that of the CPU's is.
  __device__ __forceinline__ explicit operator double() const {
    const bool negative = high < 0;
    const Wide size = negative ? Wide(0) - *this : *this;
    unsigned long long digits = size.low, rest = 0;
    double unit = 1;
    if (size.high != 0) {
      const int zeros = __clzll(size.high);  // at least one, but of the least number, which no sum is
      digits = (unsigned long long)size.high << zeros | size.low >> 1 >> (63 - zeros);
      rest = size.low << zeros;
      unit = __longlong_as_double((1023ll + 64 - zeros) << 52);
    }
    // A bit far below the last digit tells that there is more.
    const double found = unit * double(digits | (rest != 0 ? 1 : 0));
    return negative ? -found : found;
  }
};

}  // namespace pearlite
