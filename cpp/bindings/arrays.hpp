// What the bindings share: the array type, signals, and checks of sizes. Each function of pearlite._core
// checks nothing but its array types, releases the GIL and calls a kernel. The Python front has
// checked shapes and options before.
#pragma once
#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <cstdint>
#include <string>

namespace py = pybind11;

template <class T>
using Array = py::array_t<T, py::array::c_style>;

// Python delivers signals to its main thread only. Another thread must not even ask: were it a
// daemon, taking the GIL while the interpreter ends would end the thread in the middle of a solve.
inline bool on_main_thread() {
  const py::object main = py::module_::import("threading").attr("main_thread")();
  return main.attr("ident").cast<unsigned long>() == PyThread_get_thread_ident();
}

// A pending Python signal, such as Ctrl-C.
inline bool signalled(void*) {
  py::gil_scoped_acquire gil;
  return PyErr_CheckSignals() != 0;
}

// What a kernel polls between its pieces of work: null where no signal can come.
using Interrupted = bool (*)(void*);
inline Interrupted interruption() { return on_main_thread() ? signalled : nullptr; }

// Runs a kernel without the GIL; kernel() is false once a signal has ended it.
template <class Kernel>
void run_without_gil(const Kernel& kernel) {
  bool done;
  {
    py::gil_scoped_release no_gil;
    done = kernel();
  }
  if (!done || PyErr_Occurred()) throw py::error_already_set();
}

inline void expect_size(const py::array& array, int64_t size, const char* name) {
  if (array.size() != size) throw py::value_error(std::string(name) + ": wrong shape");
}
