// A node: Verilator's class, one evaluation a clock edge.
#pragma once

#include <cstdint>

#include "ports.h"
#include "root_cell.h"
#include "Vkhhw_cell.h"
#include "Vkhhw_cell___024root.h"

// As in root_cell.h.
void Vkhhw_cell___024root___eval_nba(Vkhhw_cell___024root*);

namespace khhw {

constexpr int kFlitWords = 3;

// What the cable registers of one cell take at the next clock edge. Flits count only where `valid` says so.
struct Arrivals {
    uint8_t any;
    uint8_t torus_valid[kTorusPorts];  // 1 | virtual channel << 1
    uint8_t torus_credit[kTorusPorts];
    uint8_t tree_valid[kTreePorts];  // 1 | channel << 1
    uint8_t tree_credit[kTreePorts];
    uint32_t torus_flit[kTorusPorts][kFlitWords];
    uint32_t tree_flit[kTreePorts][kFlitWords];
};

using NodeCell = Evaluated<Vkhhw_cell, Vkhhw_cell___024root, Vkhhw_cell___024root___eval_nba>;

inline void copy_flit(uint32_t* to, const VlWide<kFlitWords>& from) {
    for (int word = 0; word < kFlitWords; ++word) to[word] = from[word];
}
inline void copy_flit(VlWide<kFlitWords>& to, const uint32_t* from) {
    for (int word = 0; word < kFlitWords; ++word) to[word] = from[word];
}

// Ports by number; Verilator writes two underscores of a name as ___05F.
#define KHHW_TORUS(X) X(0) X(1) X(2) X(3) X(4) X(5)
#define KHHW_CHILDREN(X) X(0, 1) X(1, 2)

// Show a cell what its cables bring.
inline void take_arrivals(Vkhhw_cell& cell, const Arrivals& in) {
#define KHHW_TAKE(d)                                                    \
    cell.tx___05F##d##___05Fcredit = in.torus_credit[d];                \
    cell.rx___05F##d##___05Fvalid = in.torus_valid[d] & 1;              \
    if (in.torus_valid[d]) {                                            \
        cell.rx___05F##d##___05Fvc = in.torus_valid[d] >> 1;            \
        copy_flit(cell.rx___05F##d##___05Fflit, in.torus_flit[d]);      \
    }
    KHHW_TORUS(KHHW_TAKE)
#undef KHHW_TAKE
    cell.parent_tx___05Fcredit = in.tree_credit[0];
    cell.parent_rx___05Fvalid = in.tree_valid[0] & 1;
    if (in.tree_valid[0]) {
        cell.parent_rx___05Fchannel = in.tree_valid[0] >> 1;
        copy_flit(cell.parent_rx___05Fflit, in.tree_flit[0]);
    }
#define KHHW_TAKE(c, p)                                                 \
    cell.child_tx___05F##c##___05Fcredit = in.tree_credit[p];           \
    cell.child_rx___05F##c##___05Fvalid = in.tree_valid[p] & 1;         \
    if (in.tree_valid[p]) {                                             \
        cell.child_rx___05F##c##___05Fchannel = in.tree_valid[p] >> 1;  \
        copy_flit(cell.child_rx___05F##c##___05Fflit, in.tree_flit[p]); \
    }
    KHHW_CHILDREN(KHHW_TAKE)
#undef KHHW_TAKE
}

}  // namespace khhw
