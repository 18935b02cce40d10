#include "torus.h"

namespace khhw {

Torus::Torus(int nodes, const uint64_t* straps, const int32_t* neighbours, int threads, uint32_t random)
    : nodes_{nodes},
      context_{random},
      root_{context_, "root"},
      neighbours_(neighbours, neighbours + nodes * kTorusPorts),
      pool_{std::clamp(threads, 1, std::max(1, nodes / 2))},
      awake_(nodes, 1),
      loaded_(nodes, 0),
      outputs_{std::vector<uint8_t>(nodes), std::vector<uint8_t>(nodes), std::vector<uint8_t>(nodes)},
      signatures_(nodes, 0),
      signings_(nodes) {
    for (auto& buffer : arrivals_) buffer.assign(nodes, Arrivals{});
    for (int rank = 0; rank < nodes; ++rank) {
        auto& ports = cells_.emplace_back(context_, "node").ports();
        ports.straps = straps[rank];
        ports.host___05Fbready = ports.host___05Frready = 1;
        ports.host___05Fwstrb = 0xF;
        cells_.back().settle();
    }
    root_.ports().owner_out___05Fready = 1;
    root_.settle();
    for (int number = 0; number < pool_.size(); ++number)
        shares_.push_back({nodes * number / pool_.size(), nodes * (number + 1) / pool_.size(), 0, 0, {}});
}

uint64_t Torus::evaluations() const {
    uint64_t sum = 0;
    for (const Share& share : shares_) sum += share.evaluations;
    return sum;
}

void Torus::reset(int cycles) {
    in_reset_ = true;
    for (auto& cell : cells_) cell.ports().rst = 1;
    root_.ports().rst = 1;
    for (int cycle = 0; cycle < cycles; ++cycle) edge(0);
    for (auto& cell : cells_) cell.ports().rst = 0;
    root_.ports().rst = 0;
    edge(0);
    in_reset_ = false;
    std::fill(signatures_.begin(), signatures_.end(), 0);
    std::fill(signings_.begin(), signings_.end(), Signing{});
}

void Torus::wake(int rank) {
    if (awake_[rank]) return;
    // It slept through the edge that ended the cycle before, where only its time would have changed.
    cells_[rank].ports().now = now_;
    cells_[rank].edge();
    awake_[rank] = 1;
    ++busy_;
}

void Torus::ask(int rank, uint32_t address, uint32_t value, bool write) {
    wake(rank);
    auto& ports = cells_[rank].ports();
    if (write) {
        ports.host___05Fawaddr = address;
        ports.host___05Fwdata = value;
        ports.host___05Fawvalid = ports.host___05Fwvalid = 1;
    } else {
        ports.host___05Faraddr = address;
        ports.host___05Farvalid = 1;
    }
}

void Torus::take_back_request(int rank, uint8_t channels) {
    wake(rank);
    auto& ports = cells_[rank].ports();
    if (channels & kAddress) ports.host___05Fawvalid = 0;
    if (channels & kData) ports.host___05Fwvalid = 0;
    if (channels & kRead) ports.host___05Farvalid = 0;
}

HostAnswer Torus::answer(int rank) {
    const auto& ports = cells_[rank].ports();
    const uint8_t ready = (ports.host___05Fawready ? kAddress : 0) | (ports.host___05Fwready ? kData : 0) |
                          (ports.host___05Farready ? kRead : 0);
    const bool written = ports.host___05Fbvalid;
    const int response = written ? ports.host___05Fbresp : ports.host___05Frresp;
    return {ready, written, ports.host___05Frvalid != 0, (response & 2) != 0, ports.host___05Frdata};
}

void Torus::settle(const std::vector<int>& ranks) {
    for (const int rank : ranks) {
        cells_[rank].settle();
        read_outputs(rank);
        take_back(rank);
        send(rank, parity_);
    }
}

void Torus::settle_root() {
    root_.settle();
    Arrivals& to = arrivals_[parity_][0];
    to.tree_valid[0] = to.tree_credit[0] = 0;
    send_root(parity_);
    root_awake_ = root_busy_ = true;
}

void Torus::edge(uint64_t next) {
#ifdef KHHW_WAVES
    if (waves_) {
        show_waves();
        wake_for_waves(next);
    }
#endif
    ending_ = now_;
    now_ = next;
    if (pool_.size() == 1 || busy_ < kWorthSharing * pool_.size()) {
        for (Share& share : shares_) evaluate(share.first, share.last, share);
    } else {
        pool_.together([this](int number) {
            Share& share = shares_[number];
            evaluate(share.first, share.last, share);
        });
    }
    if (root_awake_ || root_arrivals_[parity_].any || in_reset_) evaluate_root();
    busy_ = 0;
    for (const Share& share : shares_) busy_ += share.busy;
    parity_ ^= 1;
}

void Torus::evaluate(int first, int last, Share& share) {
    int busy = 0;
    const auto& arrivals = arrivals_[parity_];
    for (int rank = first; rank < last; ++rank) {
        if (!(awake_[rank] | arrivals[rank].any) && !in_reset_) continue;
        step(rank);
        ++share.evaluations;
        busy += awake_[rank];
    }
    share.busy = busy;
}

void Torus::step(int rank) {
    auto& cell = cells_[rank];
    auto& ports = cell.ports();
    Arrivals& in = arrivals_[parity_][rank];
    const bool came = in.any;
    if (came | loaded_[rank]) {
        take_arrivals(ports, in);
        loaded_[rank] = came;
        if (came) std::memset(&in, 0, offsetof(Arrivals, torus_flit));
    }
    const uint8_t irq = outputs_.irq[rank];
    if (signing_) sign(rank);
    ports.now = now_;
    cell.edge();
    read_outputs(rank);
    const bool sent = send(rank, parity_ ^ 1);
    // What just came is in registers that count as cables: no output says that they will be read.
    awake_[rank] = came || sent || irq != outputs_.irq[rank] || !outputs_.quiescent[rank];
}

void Torus::sign(int rank) {
    Signing& signing = signings_[rank];
    const uint8_t irq = outputs_.irq[rank];
    if (signing.now.any() || irq != signing.irq)
        signatures_[rank] = signed_on(
            signatures_[rank], signing.now.value() ^ (irq != signing.irq ? irq_word(irq) : 0), ending_);
    signing.irq = irq;
    signing.now = signing.next;
}

void Torus::read_outputs(int rank) {
    const auto& ports = cells_[rank].ports();
    outputs_.irq[rank] = ports.irq;
    outputs_.held[rank] = ports.held;
    outputs_.quiescent[rank] = ports.quiescent;
}

void Torus::take_back(int rank) {
    auto& arrivals = arrivals_[parity_];
    for (int port = 0; port < kTorusPorts; ++port)
        if (const int there = neighbours_[rank * kTorusPorts + port]; there >= 0)
            arrivals[there].torus_valid[port ^ 1] = arrivals[there].torus_credit[port ^ 1] = 0;
    Arrivals& up = rank ? arrivals[(rank - 1) / 2] : root_arrivals_[parity_];
    const int side = rank ? 1 + (rank - 1) % 2 : 0;
    up.tree_valid[side] = up.tree_credit[side] = 0;
    for (int child = 2 * rank + 1; child <= 2 * rank + 2 && child < nodes_; ++child)
        arrivals[child].tree_valid[0] = arrivals[child].tree_credit[0] = 0;
}

bool Torus::send(int rank, int buffer) {
    const auto& ports = cells_[rank].ports();
    auto& arrivals = arrivals_[buffer];
    CableWord word;
    bool sent = false;
#define KHHW_SEND(d)                                                                                 \
    if (const uint8_t valid = ports.tx___05F##d##___05Fvalid, credit = ports.rx___05F##d##___05Fcredit; \
        valid | credit) {                                                                            \
        if (const int there = neighbours_[rank * kTorusPorts + d]; there >= 0) {                     \
            Arrivals& to = arrivals[there];                                                             \
            to.any = sent = 1;                                                                          \
            if (valid) {                                                                             \
                to.torus_valid[d ^ 1] = 1 | ports.tx___05F##d##___05Fvc << 1;                        \
                copy_flit(to.torus_flit[d ^ 1], ports.tx___05F##d##___05Fflit);                      \
                if (signing_) word.flit(d, to.torus_valid[d ^ 1], to.torus_flit[d ^ 1]);             \
            }                                                                                        \
            if (credit) {                                                                            \
                to.torus_credit[d ^ 1] = credit;                                                     \
                if (signing_) word.credit(d, credit);                                                \
            }                                                                                        \
        }                                                                                            \
    }
    KHHW_TORUS(KHHW_SEND)
#undef KHHW_SEND
    if (service_) {
        sent |= hear(rank, buffer);
    } else if (const uint8_t valid = ports.parent_tx___05Fvalid, credit = ports.parent_rx___05Fcredit; valid | credit) {
        const int side = 1 + (rank - 1) % 2;
        Arrivals& to = rank ? arrivals[(rank - 1) / 2] : root_arrivals_[buffer];
        const int port = rank ? side : 0;
        to.any = sent = 1;
        if (valid) {
            to.tree_valid[port] = 1 | ports.parent_tx___05Fchannel << 1;
            copy_flit(to.tree_flit[port], ports.parent_tx___05Fflit);
            if (signing_) word.flit(kTorusPorts, to.tree_valid[port], to.tree_flit[port]);
        }
        if (credit) {
            to.tree_credit[port] = credit;
            if (signing_) word.credit(kTorusPorts, credit);
        }
    }
#define KHHW_SEND(c, p)                                                                              \
    if (const uint8_t valid = ports.child_tx___05F##c##___05Fvalid,                                  \
        credit = ports.child_rx___05F##c##___05Fcredit;                                              \
        (valid | credit) && 2 * rank + p < nodes_) {                                                 \
        Arrivals& to = arrivals[2 * rank + p];                                                         \
        to.any = sent = 1;                                                                              \
        if (valid) {                                                                                 \
            to.tree_valid[0] = 1 | ports.child_tx___05F##c##___05Fchannel << 1;                      \
            copy_flit(to.tree_flit[0], ports.child_tx___05F##c##___05Fflit);                         \
            if (signing_) word.flit(kTorusPorts + p, to.tree_valid[0], to.tree_flit[0]);             \
        }                                                                                            \
        if (credit) {                                                                                \
            to.tree_credit[0] = credit;                                                              \
            if (signing_) word.credit(kTorusPorts + p, credit);                                      \
        }                                                                                            \
    }
    KHHW_CHILDREN(KHHW_SEND)
#undef KHHW_SEND
    if (signing_) signings_[rank].next = word;
    return sent;
}

int Torus::serve(const uint64_t* flits, int count, uint64_t* answers, int limit, int patience) {
    Service service{answers, limit, std::vector<int>(nodes_, 0), std::vector<uint8_t>(nodes_, 0)};
    service_ = &service;
    for (int flit = 0; flit < count; ++flit) {
        for (int rank = 0; rank < nodes_; ++rank)
            offer(rank, flits[rank * count + flit], flit == 0, flit == count - 1);
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

void Torus::offer(int rank, uint64_t flit, bool first, bool last) {
    Arrivals& to = arrivals_[parity_][rank];
    to.any = to.tree_valid[0] = 1;
    to.tree_valid[0] |= kOwnerChannel << 1;
    to.tree_flit[0][0] = static_cast<uint32_t>(flit);
    to.tree_flit[0][1] = static_cast<uint32_t>(flit >> 32);
    to.tree_flit[0][2] = flag(kLastBit, last) | flag(kFirstBit, first);
}

bool Torus::hear(int rank, int buffer) {
    const auto& ports = cells_[rank].ports();
    if (!ports.parent_tx___05Fvalid) return ports.parent_rx___05Fcredit;
    const auto& flit = ports.parent_tx___05Fflit;
    int& heard = service_->flits[rank];
    if (heard < service_->limit)
        service_->answers[rank * service_->limit + heard++] = flit[0] | uint64_t{flit[1]} << 32;
    if (has_flag(flit[2], kLastBit)) {
        service_->complete[rank] = 1;
        Arrivals& credit = arrivals_[buffer][rank];
        credit.any = 1;
        credit.tree_credit[0] = 1 << ports.parent_tx___05Fchannel;
    }
    return true;
}

void Torus::evaluate_root() {
    auto& ports = root_.ports();
    Arrivals& in = root_arrivals_[parity_];
    const bool came = in.any;
    if (came | root_loaded_) {
        ports.tx___05Fcredit = in.tree_credit[0];
        ports.rx___05Fvalid = in.tree_valid[0] & 1;
        if (in.tree_valid[0]) {
            ports.rx___05Fchannel = in.tree_valid[0] >> 1;
            copy_flit(ports.rx___05Fflit, in.tree_flit[0]);
        }
        root_loaded_ = came;
        std::memset(&in, 0, offsetof(Arrivals, torus_flit));
    }
    root_.edge();
    send_root(parity_ ^ 1);
    root_busy_ = !ports.quiescent;
    root_awake_ = came || root_busy_;
}

void Torus::send_root(int buffer) {
    const auto& ports = root_.ports();
    if (!(ports.tx___05Fvalid | ports.rx___05Fcredit)) return;
    Arrivals& to = arrivals_[buffer][0];
    to.any = 1;
    if (ports.tx___05Fvalid) {
        to.tree_valid[0] = 1 | ports.tx___05Fchannel << 1;
        copy_flit(to.tree_flit[0], ports.tx___05Fflit);
    }
    to.tree_credit[0] = ports.rx___05Fcredit;
}

}  // namespace khhw
