// Memories and registers of verilated nodes, behind their backs.
#include <string_view>
#include <unordered_map>

#include "memory.h"
#include "torus.h"

namespace khhw {

namespace {

using Root = Vkhhw_cell___024root;
const SignalOffset kSignalOffsets[] = {
#include "signal_offsets.inc"
};

// Where a name is, or nullptr.
const SignalOffset* find(std::string_view name) {
    static const auto offsets = [] {
        std::unordered_map<std::string_view, const SignalOffset*> all;
        for (const SignalOffset& signal : kSignalOffsets) all.emplace(signal.name, &signal);
        return all;
    }();
    const auto found = offsets.find(name);
    return found == offsets.end() ? nullptr : found->second;
}

size_t ram() {
    static const size_t offset = find("memory.ram")->offset;
    return offset;
}

}  // namespace

void Torus::peek(int rank, uint64_t address, size_t length, uint8_t* to) {
    copy_out(state(rank) + ram(), address, length, to);
}

void Torus::poke(int rank, uint64_t address, size_t length, const uint8_t* from) {
    copy_in(state(rank) + ram(), address, length, from);
}

int Torus::read_name(int rank, const char* name, size_t row, uint8_t* to, size_t limit) {
    const SignalOffset* signal = find(name);
    if (!signal) return -1;
    const size_t bytes = (signal->bits + 7) / 8;
    if (row >= signal->rows || bytes > limit) return -1;
    const uint8_t* value = state(rank) + signal->offset + row * signal->stride;
    for (size_t i = 0; i < bytes; ++i) to[i] = value[bytes - 1 - i];
    return signal->bits;
}

}  // namespace khhw
