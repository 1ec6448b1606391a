/* Effective conductivity and two-point correlations of a laminate: known exactly. */
#include <pearlite.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static int failed(pearlite_status status) {
  if (status != PEARLITE_OK) fprintf(stderr, "%s\n", pearlite_last_error());
  return status != PEARLITE_OK;
}

int main(void) {
  const int64_t shape[2] = {16, 8}, labels[2] = {0, 1};
  const double phases[2] = {1, 10};
  uint8_t pixels[16 * 8];
  double a[4], correlation[2 * 2 * 16 * 8];
  int i;
  if (pearlite_abi() != PEARLITE_ABI) {
    fprintf(stderr, "library and header differ\n");
    return 1;
  }
  for (i = 0; i < 16 * 8; ++i) pixels[i] = (uint8_t)(i / 8 % 2); /* layers normal to axis 0 */

  pearlite_grid* grid = pearlite_grid_new(2, shape);
  if (!grid) {
    fprintf(stderr, "%s\n", pearlite_last_error());
    return 1;
  }
  const int wrong =
      failed(pearlite_homogenize(grid, pixels, PEARLITE_UINT8, 1, phases, 2, a, NULL)) ||
      failed(pearlite_two_point(grid, pixels, PEARLITE_UINT8, 1, labels, 2, correlation));
  pearlite_grid_free(grid);
  if (wrong) return 1;
  printf("pearlite %s, %s\n", pearlite_version(), pearlite_instruction_set());
  printf("across %.6f (20/11), along %.6f (11/2)\n", a[0], a[3]);
  printf("fraction of phase 1: %.3f\n", correlation[3 * 16 * 8]); /* of the pair (1, 1), no shift */
  return fabs(a[0] - 20.0 / 11) < 1e-5 && fabs(a[3] - 5.5) < 1e-5 ? 0 : 1;
}
