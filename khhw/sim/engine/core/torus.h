// All cells of a machine and the cables between them: one clock edge at a time, cells that sleep left out.
#pragma once

#include <algorithm>
#include <cstring>
#include <deque>
#include <vector>

#include "cell.h"
#include "ports.h"
#include "signature.h"
#include "thread_pool.h"
#ifdef KHHW_WAVES
#include <torus_waves.h>
#endif

namespace khhw {

class Torus {
  public:
    // straps: one word a node. neighbours: rank at the other end of each torus port, -1 for none. random: 0, or a seed.
    Torus(int nodes, const uint64_t* straps, const int32_t* neighbours, int threads, uint32_t random);

    int nodes() const { return nodes_; }
    uint64_t now() const { return now_; }
    uint64_t evaluations() const;
    Outputs& outputs() { return outputs_; }
    std::vector<uint64_t>& signatures() { return signatures_; }
    RootCell& root() { return root_; }
    bool idle() const { return busy_ == 0 && !root_busy_; }
    // Of a node.
    static size_t bytes() { return sizeof(Vkhhw_cell___024root) + sizeof(Vkhhw_cell) + 2 * sizeof(Arrivals); }

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
    // sends one, goes to answers[r * limit] and not up the tree. Returns how many have answered in `patience` cycles.
    int serve(const uint64_t* flits, int count, uint64_t* answers, int limit, int patience);
    void sign_cables(bool on) { signing_ = on; }
    // The back door to a node's memory.
    void peek(int rank, uint64_t address, size_t length, uint8_t* to);
    void poke(int rank, uint64_t address, size_t length, const uint8_t* from);
    // A register by name, most significant byte first. Returns the number of bits, or -1 if there is none.
    int read_name(int rank, const char* name, size_t row, uint8_t* to, size_t limit);
#ifdef KHHW_WAVES
    // Write waves from now, cycle 0, on, below a scope of this name. False if the file cannot be written.
    bool write_waves(const char* file, const char* name, WaveWindow window);
    // The present cycle is the last one.
    void close_waves();
#endif

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

    // Where the state of a node is, as signal_offsets.inc has it.
    uint8_t* state(int rank) { return reinterpret_cast<uint8_t*>(&cells_[rank].root()); }
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
    ThreadPool pool_;
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
#ifdef KHHW_WAVES
    void show_waves();
    void wake_for_waves(uint64_t next);
    std::unique_ptr<TorusWaves> waves_;
#endif
};

}  // namespace khhw
