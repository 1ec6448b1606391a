// What marks a formula that host and device share.
#pragma once
#if defined(__CUDACC__)
#define PEARLITE_HOST_DEVICE __host__ __device__
#define PEARLITE_MEMBER __host__ __device__ __forceinline__
#else
#define PEARLITE_HOST_DEVICE
#define PEARLITE_MEMBER inline __attribute__((always_inline))
#endif
#define PEARLITE_FORMULA static PEARLITE_MEMBER
