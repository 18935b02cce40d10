// All nodes of a machine, 512 side by side, and the cables between them: one clock edge at a time, sets of nodes that
// sleep left out.
#pragma once

#include <algorithm>
#include <memory>
#include <vector>

#include "ports.h"
#include "root_cell.h"
#include "signature.h"
#include "thread_pool.h"
#include "torus_cables.h"
#include "tree_cables.h"

namespace khhw {

class Torus {
  public:
    // straps: one word a node. neighbours: rank at the other end of each torus port, -1 for none. All that has no
    // initial value begins as 0.
    Torus(int nodes, const uint64_t* straps, const int32_t* neighbours, int threads, uint32_t random);

    int nodes() const { return nodes_; }
    uint64_t now() const { return now_; }
    uint64_t evaluations() const;
    Outputs& outputs() { return outputs_; }
    std::vector<uint64_t>& signatures() { return signatures_; }
    RootCell& root() { return root_; }
    bool idle() const { return !busy_ && !root_busy_; }
    static size_t bytes() { return NodeSet::bytes() / kLanes; }

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
    // Nodes in lanes have no registers by name.
    int read_name(int, const char*, size_t, uint8_t*, size_t) const { return -1; }

  private:
    // What nodes answer to `serve`.
    struct Service {
        uint64_t* answers = nullptr;
        int limit = 0;
        std::vector<int> flits;
        std::vector<uint8_t> complete;
    };
    struct Sleeper {
        bool awake = true, came = false, tree_loaded = false;
        uint64_t evaluations = 0;
        Vector irq = zeros();
        Vector nodes = zeros();  // lanes that are nodes
    };

    int count() const { return static_cast<int>(sets_.size()); }
    NodeSet& set_of(int rank) { return *sets_[rank / kLanes]; }
    static unsigned lane_of(int rank) { return rank % kLanes; }
    template <class F>
    void each_set(F&& work);
    void wake(int rank);
    void evaluate(int set);
    void evaluate_sleepers();
    void finish(int set);
    void read_outputs(int set);
    void collect_tree();
    void send_tree(int rank, int port, TreeWord word);
    void hear(int rank, const TreeWord& word);
    void take_tree();
    void evaluate_root();
    void sign();
    CableWord cable_word(int set, unsigned lane) const;

    const int nodes_;
    VerilatedContext context_;
    RootCell root_;
    std::vector<std::unique_ptr<NodeSet>> sets_;
    std::vector<Sleeper> sleepers_;
    TorusCables cables_;
    ThreadPool pool_;
    std::vector<Sent> sent_;
    std::vector<TreeWord> tree_words_;
    TreeWord root_word_ = {};
    Outputs outputs_;
    uint64_t now_ = 0, ending_ = 0;
    bool busy_ = true;
    bool root_busy_ = true, root_awake_ = true, root_loaded_ = false, root_shows_ = false;
    bool in_reset_ = false, reset_ = false;
    Service* service_ = nullptr;
    bool signing_ = false;
    std::vector<uint64_t> signatures_;
    std::vector<CableWord> words_;  // what the cables carry in this cycle
    std::vector<uint8_t> irq_before_;
};

}  // namespace khhw
