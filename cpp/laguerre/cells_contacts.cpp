// Pixel faces between cells, added up by pair of cells. A thread has a hash table of its own for its
// part of an image; the tables are sorted and merged.
#include <algorithm>
#include <cmath>

#include "laguerre/cells.hpp"
#include "laguerre/cells_runs.hpp"
#include "parallel.hpp"
#include "shared/contacts.hpp"

namespace pearlite {
namespace {

// Open addressing; a key of zero, which would be two equal cells, marks an empty place.
class ContactTable {
 public:
  ContactTable() : places_(1024) {}

  // The entry of a key. It may move when another one is asked for.
  Contact& at(uint64_t key) {
    std::size_t i = place(key);
    if (places_[i].key == key) return places_[i];
    if (2 * ++used_ > places_.size()) {
      grow();
      i = place(key);
    }
    places_[i].key = key;
    return places_[i];
  }

  // Appends all entries.
  void append_to(std::vector<Contact>& out) const {
    for (const Contact& c : places_)
      if (c.key) out.push_back(c);
  }

 private:
  std::size_t place(uint64_t key) const {
    const std::size_t mask = places_.size() - 1;
    std::size_t i = (key * 0x9E3779B97F4A7C15u >> 20) & mask;
    while (places_[i].key && places_[i].key != key) i = (i + 1) & mask;
    return i;
  }

  void grow() {
    std::vector<Contact> old(2 * places_.size());
    old.swap(places_);
    for (const Contact& c : old)
      if (c.key) places_[place(c.key)] = c;
  }

  std::vector<Contact> places_;
  std::size_t used_ = 0;
};

struct Territories {
  Territory along[3];
};

// centres: (count, dimension), in pixels -> (count,)
template <class Label>
std::vector<Territories> territories(const LabelImages<Label>& images, const double* centres) {
  std::vector<Territories> all(images.count);
  for (int64_t k = 0; k < images.count; ++k)
    for (int a = 0; a < images.dimension; ++a)
      all[k].along[a] = territory(centres[k * images.dimension + a], static_cast<double>(images.shape[a]));
  return all;
}

template <class Label>
class Counter {
 public:
  // territories: (count,)
  Counter(const LabelImages<Label>& images, int64_t image, const Territories* territories, ContactTable& table)
      : images_(images), labels_(images.labels + image * images.pixels()), territories_(territories), table_(table) {}

  void count_rows(int64_t begin, int64_t end) {
    const int64_t length = images_.row_length();
    const int last = images_.dimension - 1;
    for (int64_t r = begin; r < end; ++r) {
      const Label* row = labels_ + r * length;
      locate(r);
      count_along(row, length);
      int64_t stride = length;  // of the axis in pixels
      for (int a = last - 1; a >= 0; stride *= images_.shape[a], --a) {
        const bool wraps = position_[a] + 1 == images_.shape[a];
        if (wraps && !images_.periodic) continue;
        const Label* next = wraps ? row - position_[a] * stride : row + stride;
        for_each_difference(row, next, length, [&](int64_t k, int64_t other, int64_t from, int64_t to) {
          add_run(k, other, a, wraps, from, to);
        });
      }
    }
  }

 private:
  void locate(int64_t row) {
    for (int a = images_.dimension - 2; a >= 0; --a) {
      position_[a] = row % images_.shape[a];
      row /= images_.shape[a];
    }
  }

  // The faces between the pixels of a row.
  void count_along(const Label* row, int64_t length) {
    const int last = images_.dimension - 1;
    for_each_run(row, length, [&](int64_t k, int64_t, int64_t end) {
      const bool wraps = end == length;
      if (wraps && !images_.periodic) return;
      const int64_t other = static_cast<int64_t>(row[wraps ? 0 : end]);
      if (other == k) return;
      int64_t code = row_code(k, other);
      if (images_.periodic) code += digit(k, other, last, end - 1, wraps ? 0 : end, wraps);
      add(code, k, other, last, 1);
    });
  }

  // The faces along axis a of the pixels from..to-1 of the row, where k meets another cell.
  void add_run(int64_t k, int64_t other, int a, bool wraps, int64_t from, int64_t to) {
    int64_t code = row_code(k, other);
    if (!images_.periodic) return add(code, k, other, a, to - from);
    const int last = images_.dimension - 1;
    const int64_t up = position_[a] + 1;
    // The pixel beyond the face belongs to the image of the other cell that is nearest to it.
    code += (digit(k, other, a, position_[a], wraps ? 0 : up, wraps) - digit(k, other, a, position_[a], position_[a], false)) *
            weight(a);
    // Periods grow along the run: each is the same all along if it is so at both ends.
    if (same_period(k, last, from, to - 1) && same_period(other, last, from, to - 1))
      return add(code + digit(k, other, last, from, from, false), k, other, a, to - from);
    for (int64_t i = from; i < to; ++i) add(code + digit(k, other, last, i, i, false), k, other, a, 1);
  }

  // How many periods lie between the image of cell k that has pixel x and that of the other cell that
  // has pixel y, along one axis; y is counted from 0 again where the face wraps around.
  int64_t digit(int64_t k, int64_t other, int axis, int64_t x, int64_t y, bool wraps) const {
    const int at = static_cast<int>(x), beyond = static_cast<int>(y);
    return territories_[other].along[axis].period(beyond) + wraps - territories_[k].along[axis].period(at);
  }

  bool same_period(int64_t k, int axis, int64_t x, int64_t y) const {
    const Territory& along = territories_[k].along[axis];
    return along.period(static_cast<int>(x)) == along.period(static_cast<int>(y));
  }

  // What a period along an axis adds to the code of an offset; the last axis has the last digit.
  int64_t weight(int axis) const {
    const int64_t powers[3] = {1, 5, 25};
    return powers[images_.dimension - 1 - axis];
  }

  // The code of an offset, that of none and the digits of all axes but the last.
  int64_t row_code(int64_t k, int64_t other) const {
    int64_t code = contact_nowhere;
    if (images_.periodic)
      for (int a = 0; a + 1 < images_.dimension; ++a)
        code += digit(k, other, a, position_[a], position_[a], false) * weight(a);
    return code;
  }

  void add(int64_t code, int64_t k, int64_t other, int axis, int64_t number) {
    const bool upwards = k < other;
    Contact& contact = table_.at(contact_key(k, other, static_cast<int>(code)));
    contact.faces[axis] += number;
    contact.balance[axis] += upwards ? number : -number;
  }

  const LabelImages<Label>& images_;
  const Label* labels_;
  const Territories* territories_;
  ContactTable& table_;
  int64_t position_[3] = {};
};

// Sorts the entries and adds those of one key.
void merge(std::vector<Contact>& contacts) {
  std::sort(contacts.begin(), contacts.end(), [](const Contact& x, const Contact& y) { return x.key < y.key; });
  std::size_t kept = 0;
  for (std::size_t i = 0; i < contacts.size(); ++i) {
    if (kept && contacts[kept - 1].key == contacts[i].key) {
      for (int a = 0; a < 3; ++a) {
        contacts[kept - 1].faces[a] += contacts[i].faces[a];
        contacts[kept - 1].balance[a] += contacts[i].balance[a];
      }
    } else {
      contacts[kept++] = contacts[i];
    }
  }
  contacts.resize(kept);
}

}  // namespace

template <class Label>
bool cell_contacts(const LabelImages<Label>& images, const CallOptions& options, const double* centres,
                   std::vector<std::vector<Contact>>& contacts) {
  const Tasks tasks(images, images.batch, options.threads);
  const int64_t parts = tasks.parts;
  std::vector<std::vector<Contact>> shares(images.batch * parts);
  const auto body = [&](int, int64_t task) {
    const int64_t image = task / parts, part = task % parts;
    ContactTable table;
    const auto own = territories(images, centres + image * images.count * images.dimension);
    Counter<Label> counter(images, image, own.data(), table);
    counter.count_rows(tasks.begin(part), tasks.begin(part + 1));
    table.append_to(shares[task]);
    if (parts == 1) merge(shares[task]);
  };
  const auto stop = [&] { return options.interrupted && options.interrupted(options.context); };
  if (!parallel_for(images.batch * parts, options.threads, body, stop)) return false;
  if (parts > 1)
    for (int64_t image = 0; image < images.batch; ++image) {
      std::vector<Contact>& all = shares[image * parts];
      for (int64_t p = 1; p < parts; ++p) {
        const auto& share = shares[image * parts + p];
        all.insert(all.end(), share.begin(), share.end());
      }
      merge(all);
      if (image) shares[image] = std::move(all);
    }
  shares.resize(images.batch);
  contacts = std::move(shares);
  return true;
}

template bool cell_contacts(const LabelImages<uint8_t>&, const CallOptions&, const double*,
                            std::vector<std::vector<Contact>>&);
template bool cell_contacts(const LabelImages<uint16_t>&, const CallOptions&, const double*,
                            std::vector<std::vector<Contact>>&);
template bool cell_contacts(const LabelImages<int32_t>&, const CallOptions&, const double*,
                            std::vector<std::vector<Contact>>&);

}  // namespace pearlite
