// Effective conductivity of a polycrystal of twelve grains, of two kinds that conduct 1 and 10.
#include <pearlite.hpp>

#include <cmath>
#include <cstdio>
#include <vector>

int main() {
  const pearlite::embedded::Grid grid({128, 128});
  std::vector<double> sites;  // a low-discrepancy sequence: Kronecker's, with the plastic number
  for (int k = 1; k <= 12; ++k) {
    sites.push_back(std::fmod(k * 0.7548776662466927, 1));
    sites.push_back(std::fmod(k * 0.5698402909980532, 1));
  }
  const std::vector<int32_t> grains = grid.assign(sites, 1);
  std::vector<double> conductivities;
  for (int k = 0; k < 12; ++k) conductivities.push_back(k % 3 == 0 ? 10 : 1);
  const std::vector<double> a = grid.homogenize(grains, conductivities);
  std::printf("A11 %.6f  A22 %.6f  A12 %.6f\n", a[0], a[3], a[1]);

  try {
    grid.homogenize(grains, {1, 10});  // twelve grains, two conductivities
  } catch (const pearlite::embedded::Error& error) {
    std::printf("refused: %s\n", error.what());
    return 0;
  }
  return 1;
}
