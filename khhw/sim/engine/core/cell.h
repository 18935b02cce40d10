// A node, and the owner's port above the tree's root: Verilator's classes, one evaluation a clock edge.
#pragma once

#include <cstdint>
#include <memory>

#include "verilated.h"

#include "formats.h"
#include "Vkhhw_cell.h"
#include "Vkhhw_cell___024root.h"
#include "Vkhhw_root_cell.h"
#include "Vkhhw_root_cell___024root.h"

// Verilator declares these in no header. Python checks before it compiles this that they look as they are used here.
void Vkhhw_cell___024root___eval_nba(Vkhhw_cell___024root*);
void Vkhhw_root_cell___024root___eval_nba(Vkhhw_root_cell___024root*);

namespace khhw {

constexpr int kTorusPorts = 6;
constexpr int kTreePorts = 3;  // parent, left child, right child
constexpr int kFlitWords = 3;

// Bits of a flit above its 64 bits of data are in its third word; formats.h numbers them.
inline uint32_t flag(int bit, uint32_t value) { return value << (bit - 64); }
inline bool has_flag(uint32_t word, int bit) { return word >> (bit - 64) & 1; }

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

// Model and root struct of a Verilator class, with a clock edge that costs one pass over its logic.
template <class Model, class Root, void (*kEvalNba)(Root*)>
class Evaluated {
  public:
    Evaluated(VerilatedContext& context, const char* name) : model_{new Model{&context, name}} {
        model_->clk = 0;
        model_->eval();
    }
    Model& ports() { return *model_; }
    Root& root() { return *model_->rootp; }
    // Let outputs follow inputs that have no register.
    void settle() { model_->eval(); }
    void edge() {
#ifdef KHHW_PLAIN_EVAL
        model_->clk = 1;
        model_->eval();
        model_->clk = 0;
        model_->eval();
#else
        model_->rootp->__VnbaTriggered[0U] = 1;
        kEvalNba(model_->rootp);
        model_->rootp->__VnbaTriggered[0U] = 0;
#endif
    }

  private:
    std::unique_ptr<Model> model_;
};

using NodeCell = Evaluated<Vkhhw_cell, Vkhhw_cell___024root, Vkhhw_cell___024root___eval_nba>;
using RootCell = Evaluated<Vkhhw_root_cell, Vkhhw_root_cell___024root, Vkhhw_root_cell___024root___eval_nba>;

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
