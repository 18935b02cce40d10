// All cells of a machine and the cables between them: one clock edge at a time, cells that sleep left out.
#pragma once

#include <algorithm>
#include <cstring>
#include <deque>
#include <vector>

#include "cell.h"
#include "crew.h"
#include "signature.h"

namespace khhw {

// What all cells show between two clock edges, by rank.
struct Outputs {
    std::vector<uint8_t> irq, held, quiescent;
};

class Torus {
  public:
    // straps: one word a node. neighbours: rank at the other end of each torus port, -1 for none. random: 0, or a seed.
    Torus(int nodes, const uint64_t* straps, const int32_t* neighbours, int threads, uint32_t random);

    int nodes() const { return nodes_; }
    uint64_t now() const { return now_; }
    uint64_t evaluations() const;
    Outputs& outputs() { return outputs_; }
    std::vector<uint64_t>& signatures() { return signatures_; }
    NodeCell& cell(int rank) { return cells_[rank]; }
    RootCell& root() { return root_; }
    bool idle() const { return busy_ == 0 && !root_busy_; }

    // Bring the machine to the beginning of cycle 0.
    void reset(int cycles);
    // A cell is about to get new inputs on its host port: bring it up to the present cycle.
    void wake(int rank);
    // Inputs of the host port of a cell, or of the owner's port, have changed in this cycle.
    void settle(int rank);
    void settle_root();
    // The clock edge that ends this cycle; the next one has the number `next`.
    void edge(uint64_t next);
    void edge() { edge(now_ + 1); }
    void sign_cables(bool on) { signing_ = on; }

  private:
    // A cell's cable registers in this cycle and in the next, and its interrupt in the cycle before.
    struct Signing {
        CableWord now, next;
        uint8_t irq = 0;
    };
    struct Context : VerilatedContext {
        explicit Context(uint32_t random) {
            if (random) randReset(2), randSeed(static_cast<int>(random));
        }
    };
    struct Share {
        int first, last;
        int busy;
        uint64_t evaluations;
        char apart[64];
    };
    // Fewer cells than this are not worth waking a thread for.
    static constexpr int kWorthSharing = 6;

    void evaluate(int first, int last, Share& share);
    void step(int rank);
    void read_outputs(int rank);
    bool send(int rank, int buffer);
    void take_back(int rank);
    void send_root(int buffer);
    void evaluate_root();
    void sign(int rank);

    const int nodes_;
    Context context_;
    std::deque<NodeCell> cells_;
    RootCell root_;
    std::vector<int32_t> neighbours_;
    Crew crew_;
    std::vector<Share> shares_;
    // Twice: what is taken at this edge, and what comes up for the next.
    std::vector<Arrivals> arrivals_[2];
    Arrivals root_arrivals_[2] = {};
    int parity_ = 0;
    std::vector<uint8_t> awake_;
    std::vector<uint8_t> loaded_;
    Outputs outputs_;
    uint64_t now_ = 0, ending_ = 0;
    int busy_ = 0;
    bool root_busy_ = true, root_awake_ = true, root_loaded_ = false;
    bool in_reset_ = false;
    bool signing_ = false;
    std::vector<uint64_t> signatures_;
    std::vector<Signing> signings_;
};

}  // namespace khhw
