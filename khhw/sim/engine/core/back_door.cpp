// Memories and registers of verilated nodes, behind their backs.
#include <string_view>
#include <unordered_map>

#include "memory.h"
#include "torus.h"

namespace khhw {

namespace {

using Root = Vkhhw_cell___024root;
const Place kPlaces[] = {
#include "places.inc"
};

// Where a name is, or nullptr.
const Place* find(std::string_view name) {
    static const auto places = [] {
        std::unordered_map<std::string_view, const Place*> all;
        for (const Place& place : kPlaces) all.emplace(place.name, &place);
        return all;
    }();
    const auto found = places.find(name);
    return found == places.end() ? nullptr : found->second;
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
    const Place* place = find(name);
    if (!place) return -1;
    const size_t bytes = (place->bits + 7) / 8;
    if (row >= place->rows || bytes > limit) return -1;
    const uint8_t* value = state(rank) + place->offset + row * place->stride;
    for (size_t i = 0; i < bytes; ++i) to[i] = value[bytes - 1 - i];
    return place->bits;
}

}  // namespace khhw
