// The tree of a machine in lanes: what it carries in a cycle, the owner's port above its root, and work for all nodes
// at once.
#include "torus.h"

namespace khhw {

void Torus::collect_tree() {
    root_word_ = {};
    for (int set = 0; set < count(); ++set) {
        if (!sent_[set].tree) continue;
        for (int port = 0; port < kTreePorts; ++port)
            each_lane(both(tree_senders(*sets_[set], port), sleepers_[set].nodes), [&](unsigned lane) {
                send_tree(static_cast<int>(kLanes) * set + lane, port, tree_word(*sets_[set], lane, port));
            });
    }
    if (root_shows_) {
        const auto& ports = root_.ports();
        const auto& flit = ports.tx___05Fflit;
        if (ports.tx___05Fvalid | ports.rx___05Fcredit)
            tree_words_.push_back({0, 0, ports.tx___05Fvalid != 0, ports.rx___05Fcredit, ports.tx___05Fchannel,
                                   flit[0] | uint64_t{flit[1]} << 32, flit[2]});
        root_shows_ = false;
    }
    for (const TreeWord& word : tree_words_) sleepers_[word.rank / kLanes].came = true;
}

void Torus::send_tree(int rank, int port, TreeWord word) {
    if (port) {
        word.rank = 2 * rank + port;
        if (word.rank < nodes_) tree_words_.push_back(word);
    } else if (service_) {
        hear(rank, word);
    } else if (rank) {
        word.rank = (rank - 1) / 2;
        word.port = 1 + (rank - 1) % 2;
        tree_words_.push_back(word);
    } else {
        root_word_ = word;
    }
}

void Torus::take_tree() {
    for (int set = 0; set < count(); ++set) {
        if (sleepers_[set].tree_loaded) clear_tree(*sets_[set]);
        sleepers_[set].tree_loaded = sleepers_[set].came;
    }
    for (const TreeWord& word : tree_words_) take_tree_word(set_of(word.rank), lane_of(word.rank), word);
    tree_words_.clear();
}

void Torus::evaluate_root() {
    auto& ports = root_.ports();
    const TreeWord& in = root_word_;
    const bool came = in.valid || in.credits;
    if (came | root_loaded_) {
        ports.tx___05Fcredit = in.credits;
        ports.rx___05Fvalid = in.valid;
        if (in.valid) {
            ports.rx___05Fchannel = in.channel;
            ports.rx___05Fflit[0] = static_cast<uint32_t>(in.data);
            ports.rx___05Fflit[1] = static_cast<uint32_t>(in.data >> 32);
            ports.rx___05Fflit[2] = in.flags;
        }
        root_loaded_ = came;
    }
    root_.edge();
    root_shows_ = true;
    root_busy_ = !ports.quiescent;
    root_awake_ = came || root_busy_;
}

int Torus::serve(const uint64_t* flits, int count, uint64_t* answers, int limit, int patience) {
    Service service{answers, limit, std::vector<int>(nodes_, 0), std::vector<uint8_t>(nodes_, 0)};
    service_ = &service;
    for (int flit = 0; flit < count; ++flit) {
        const uint32_t flags = flag(kLastBit, flit == count - 1) | flag(kFirstBit, flit == 0);
        for (int rank = 0; rank < nodes_; ++rank)
            tree_words_.push_back({rank, 0, true, 0, kOwnerChannel, flits[size_t(rank) * count + flit], flags});
        edge();
    }
    int answered = 0;
    for (int cycle = 0; cycle < patience && !(answered == nodes_ && idle()); ++cycle) {
        edge();
        answered = static_cast<int>(std::count(service.complete.begin(), service.complete.end(), 1));
    }
    service_ = nullptr;
    return answered;
}

void Torus::hear(int rank, const TreeWord& word) {
    if (!word.valid) return;
    int& heard = service_->flits[rank];
    if (heard < service_->limit) service_->answers[size_t(rank) * service_->limit + heard++] = word.data;
    if (!has_flag(word.flags, kLastBit)) return;
    service_->complete[rank] = 1;
    tree_words_.push_back({rank, 0, false, static_cast<uint8_t>(1 << word.channel), 0, 0, 0});
}

}  // namespace khhw
