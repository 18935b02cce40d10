#include "torus.h"

#include "memory.h"

namespace khhw {

template <class F>
void Torus::each_set(F&& work) {
    const auto awake = std::count_if(sleepers_.begin(), sleepers_.end(), [](const Sleeper& set) { return set.awake; });
    if (pool_.size() == 1 || (awake < 2 && !in_reset_)) {
        for (int set = 0; set < count(); ++set) work(set);
        return;
    }
    pool_.together([&](int number) {
        for (int set = number; set < count(); set += pool_.size()) work(set);
    });
}

Torus::Torus(int nodes, const uint64_t* straps, const int32_t* neighbours, int threads, uint32_t)
    : nodes_{nodes},
      root_{context_, "root"},
      sets_((nodes + kLanes - 1) / kLanes),
      sleepers_(sets_.size()),
      cables_{nodes, neighbours},
      pool_{std::clamp(threads, 1, static_cast<int>(sets_.size()))},
      sent_(sets_.size()),
      outputs_{std::vector<uint8_t>(nodes), std::vector<uint8_t>(nodes), std::vector<uint8_t>(nodes)},
      signatures_(nodes, 0),
      words_(nodes),
      irq_before_(nodes, 0) {
    for (auto& set : sets_) set = std::make_unique<NodeSet>();
    for (int rank = 0; rank < nodes; ++rank) {
        set_of(rank).set(kStraps, std::size(kStraps), lane_of(rank), straps[rank]);
        set_bit(sleepers_[rank / kLanes].nodes, lane_of(rank), true);
    }
    root_.ports().owner_out___05Fready = 1;
    root_.settle();
}

uint64_t Torus::evaluations() const {
    uint64_t sum = 0;
    for (const Sleeper& set : sleepers_) sum += set.evaluations;
    return sum;
}

void Torus::reset(int cycles) {
    in_reset_ = reset_ = true;
    root_.ports().rst = 1;
    for (int cycle = 0; cycle < cycles; ++cycle) edge(0);
    reset_ = false;
    root_.ports().rst = 0;
    edge(0);
    in_reset_ = false;
    std::fill(signatures_.begin(), signatures_.end(), 0);
    std::fill(words_.begin(), words_.end(), CableWord{});
    std::fill(irq_before_.begin(), irq_before_.end(), 0);
}

void Torus::wake(int rank) {
    const int set = rank / kLanes;
    if (sleepers_[set].awake) return;
    // It slept through the edge that ended the cycle before, where only its time would have changed.
    sets_[set]->set_now(ending_);
    evaluate(set);
    sets_[set]->set_now(now_);
    sleepers_[set].awake = busy_ = true;
}

void Torus::ask(int rank, uint32_t address, uint32_t value, bool write) {
    wake(rank);
    NodeSet& set = set_of(rank);
    const unsigned lane = lane_of(rank);
    if (write) {
        set.set(kHostAwaddr, std::size(kHostAwaddr), lane, address);
        set.set(kHostWdata, std::size(kHostWdata), lane, value);
        set.set(kHostAwvalid, 1, lane, 1);
        set.set(kHostWvalid, 1, lane, 1);
    } else {
        set.set(kHostAraddr, std::size(kHostAraddr), lane, address);
        set.set(kHostArvalid, 1, lane, 1);
    }
}

void Torus::take_back_request(int rank, uint8_t channels) {
    wake(rank);
    NodeSet& set = set_of(rank);
    if (channels & kAddress) set.set(kHostAwvalid, 1, lane_of(rank), 0);
    if (channels & kData) set.set(kHostWvalid, 1, lane_of(rank), 0);
    if (channels & kRead) set.set(kHostArvalid, 1, lane_of(rank), 0);
}

HostAnswer Torus::answer(int rank) {
    const NodeSet& set = set_of(rank);
    const auto value = [&](const auto& port) { return set.value(port, std::size(port), lane_of(rank)); };
    const uint8_t ready = (value(kHostAwready) ? kAddress : 0) | (value(kHostWready) ? kData : 0) |
                          (value(kHostArready) ? kRead : 0);
    const bool written = value(kHostBvalid), read = value(kHostRvalid);
    const uint64_t response = written ? value(kHostBresp) : value(kHostRresp);
    return {ready, written, read, (response & 2) != 0, read ? static_cast<uint32_t>(value(kHostRdata)) : 0};
}

void Torus::settle(const std::vector<int>& ranks) {
    std::vector<uint8_t> changed(sets_.size(), 0);
    for (const int rank : ranks) changed[rank / kLanes] = 1;
    for (int set = 0; set < count(); ++set) {
        if (!changed[set]) continue;
        sets_[set]->show();
        read_outputs(set);
    }
}

void Torus::settle_root() {
    root_.settle();
    root_awake_ = root_busy_ = root_shows_ = true;
}

void Torus::edge(uint64_t next) {
    ending_ = now_;
    now_ = next;
    std::fill(sent_.begin(), sent_.end(), Sent{});
    each_set([this](int set) {
        if (sleepers_[set].awake || in_reset_) evaluate(set);
    });
    collect_tree();
    evaluate_sleepers();
    if (signing_) sign();
    take_tree();
    each_set([this](int set) {
        if (sleepers_[set].awake || in_reset_) finish(set);
    });
    if (root_awake_ || root_word_.valid || root_word_.credits || in_reset_) evaluate_root();
    busy_ = std::any_of(sleepers_.begin(), sleepers_.end(), [](const Sleeper& set) { return set.awake; });
}

void Torus::evaluate(int set) {
    NodeSet& nodes = *sets_[set];
    nodes.evaluate();
    Sleeper& sleeper = sleepers_[set];
    sleeper.evaluations += std::min<uint64_t>(kLanes, nodes_ - set * kLanes);
    Sent& sent = sent_[set];
    for (int port = 0; port < kTorusPorts; ++port) {
        const uint32_t* bits = kTorusSent[port];
        const Vector linked = cables_.linked(set, port);
        Vector credits = zeros();
        for (unsigned bit = 1; bit <= kTorusCredits; ++bit) credits = either(credits, nodes.get(bits[bit]));
        sent.flits |= any(both(linked, nodes.get(*bits))) << port;
        sent.credits |= any(both(linked, credits)) << port;
    }
    Vector senders = zeros();
    for (int port = 0; port < kTreePorts; ++port) senders = either(senders, tree_senders(nodes, port));
    sent.tree = any(both(senders, sleeper.nodes));
}

void Torus::evaluate_sleepers() {
    for (int set = 0; set < count(); ++set) {
        Sleeper& sleeper = sleepers_[set];
        if (sleeper.awake || in_reset_ || !(sleeper.came || cables_.reach(set, sent_))) continue;
        sets_[set]->set_now(ending_);
        evaluate(set);
        sleeper.awake = true;
    }
}

void Torus::finish(int set) {
    NodeSet& nodes = *sets_[set];
    Sleeper& sleeper = sleepers_[set];
    const Sent& sent = sent_[set];
    const bool came = cables_.bring(set, sets_, sent_) | sleeper.came;
    sleeper.came = false;
    if (in_reset_) nodes.input(kRst[0]) = reset_ ? ones() : without(ones(), sleeper.nodes);
    nodes.set_now(now_);
    nodes.show();
    const Vector irq = both(nodes.get(kIrq[0]), sleeper.nodes);
    const bool interrupted = any(differ(irq, sleeper.irq));
    read_outputs(set);
    // What just came is in registers that count as cables: no output says that they will be read.
    sleeper.awake = came || sent.flits || sent.credits || sent.tree || interrupted ||
                    any(without(sleeper.nodes, nodes.get(kQuiescent[0])));
}

void Torus::read_outputs(int set) {
    const NodeSet& nodes = *sets_[set];
    sleepers_[set].irq = both(nodes.get(kIrq[0]), sleepers_[set].nodes);
    const size_t first = size_t{kLanes} * set, count = std::min<size_t>(kLanes, nodes_ - first);
    const auto read = [&](const Vector& bits, std::vector<uint8_t>& to) {
        uint8_t bytes[kLanes];
        expand(bits, bytes);
        std::copy_n(bytes, count, &to[first]);
    };
    read(nodes.get(kIrq[0]), outputs_.irq);
    read(nodes.get(kHeld[0]), outputs_.held);
    read(nodes.get(kQuiescent[0]), outputs_.quiescent);
}

void Torus::peek(int rank, uint64_t address, size_t length, uint8_t* to) {
    copy_out(reinterpret_cast<const uint8_t*>(set_of(rank).ram(lane_of(rank))), address, length, to);
}

void Torus::poke(int rank, uint64_t address, size_t length, const uint8_t* from) {
    copy_in(reinterpret_cast<uint8_t*>(set_of(rank).ram(lane_of(rank))), address, length, from);
    set_of(rank).ram_changed(lane_of(rank));
}

}  // namespace khhw
