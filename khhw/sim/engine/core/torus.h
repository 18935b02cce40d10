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

// Channels of a host port on which a request is made.
enum HostChannel : uint8_t { kAddress = 1, kData = 2, kRead = 4 };

// What a host port shows: which channels are ready, and an answer.
struct HostAnswer {
    uint8_t ready;
    bool written, read, error;
    uint32_t data;
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
    // Where the state of a node is, as places.inc has it.
    uint8_t* state(int rank) { return reinterpret_cast<uint8_t*>(&cells_[rank].root()); }
    RootCell& root() { return root_; }
    bool idle() const { return busy_ == 0 && !root_busy_; }

    // Bring the machine to the beginning of cycle 0.
    void reset(int cycles);
    // Show a register access on a host port; take channels back; say what the port answers.
    void ask(int rank, uint32_t address, uint32_t value, bool write);
    void take_back_request(int rank, uint8_t channels);
    HostAnswer answer(int rank);
    // Host ports of these nodes, or the owner's port, show something else than at the last clock edge.
    void settle(const std::vector<int>& ranks);
    void settle_root();
    // The clock edge that ends this cycle; the next one has the number `next`.
    void edge(uint64_t next);
    void edge() { edge(now_ + 1); }
    // Give every node a tree packet as if from its parent: flit i of rank r is flits[r * count + i]. Its answer, if it
    // sends one, goes to answers[r * limit] and not up the tree. Returns how many have answered after `patience` cycles.
    int serve(const uint64_t* flits, int count, uint64_t* answers, int limit, int patience);
    void sign_cables(bool on) { signing_ = on; }

  private:
    // What nodes answer to `serve`.
    struct Service {
        uint64_t* answers = nullptr;
        int limit = 0;
        std::vector<int> flits;
        std::vector<uint8_t> complete;
    };
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
    void wake(int rank);
    void step(int rank);
    void read_outputs(int rank);
    bool send(int rank, int buffer);
    void take_back(int rank);
    void send_root(int buffer);
    void evaluate_root();
    void offer(int rank, uint64_t flit, bool first, bool last);
    bool hear(int rank, int buffer);
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
    Service* service_ = nullptr;
    bool signing_ = false;
    std::vector<uint64_t> signatures_;
    std::vector<Signing> signings_;
};

}  // namespace khhw
