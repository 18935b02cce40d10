// The owner's port above the tree's root: Verilator's class, one evaluation a clock edge.
#pragma once

#include <cstdint>
#include <memory>

#include "verilated.h"

#include "formats.h"
#include "Vkhhw_root_cell.h"
#include "Vkhhw_root_cell___024root.h"

// Verilator declares this in no header. Python checks before it compiles this that it looks as it is used here.
void Vkhhw_root_cell___024root___eval_nba(Vkhhw_root_cell___024root*);

namespace khhw {

// Bits of a flit above its 64 bits of data are in its third word; formats.h numbers them.
inline uint32_t flag(int bit, uint32_t value) { return value << (bit - 64); }
inline bool has_flag(uint32_t word, int bit) { return word >> (bit - 64) & 1; }

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

using RootCell = Evaluated<Vkhhw_root_cell, Vkhhw_root_cell___024root, Vkhhw_root_cell___024root___eval_nba>;

}  // namespace khhw
