// Signatures of nodes in lanes: node after node, for they are computed in tests only.
#include "torus.h"

namespace khhw {

void Torus::sign() {
    for (int rank = 0; rank < nodes_; ++rank) {
        CableWord& word = words_[rank];
        const uint8_t irq = outputs_.irq[rank];
        const bool interrupted = irq != irq_before_[rank];
        if (word.any() || interrupted)
            signatures_[rank] = signed_on(signatures_[rank], word.value() ^ (interrupted ? irq_word(irq) : 0), ending_);
        irq_before_[rank] = irq;
        const Sent& sent = sent_[rank / kLanes];
        word = sent.flits || sent.credits || sent.tree ? cable_word(rank / kLanes, lane_of(rank)) : CableWord{};
    }
}

CableWord Torus::cable_word(int set, unsigned lane) const {
    const NodeSet& nodes = *sets_[set];
    const int rank = static_cast<int>(kLanes) * set + lane;
    CableWord sum;
    const auto add = [&](int port, bool valid, uint8_t credits, uint8_t tag, uint64_t data, uint32_t flags) {
        const uint32_t words[] = {static_cast<uint32_t>(data), static_cast<uint32_t>(data >> 32), flags};
        if (valid) sum.flit(port, 1 | tag << 1, words);
        if (credits) sum.credit(port, credits);
    };
    for (int port = 0; port < kTorusPorts; ++port) {
        if (!bit_of(cables_.linked(set, port), lane)) continue;
        const uint32_t* bits = kTorusSent[port];
        const uint32_t *credits = bits + 1, *tag = credits + kTorusCredits, *flit = tag + kTorusTag;
        const bool valid = nodes.bit(*bits, lane);
        add(port, valid, nodes.value(credits, kTorusCredits, lane), nodes.value(tag, kTorusTag, lane),
            valid ? nodes.value(flit, 64, lane) : 0, nodes.value(flit + 64, kTorusFlit - 64, lane));
    }
    for (int port = service_ ? 1 : 0; port < kTreePorts; ++port) {
        if (port && 2 * rank + port >= nodes_) continue;
        const TreeWord word = tree_word(nodes, lane, port);
        add(kTorusPorts + port, word.valid, word.credits, word.channel, word.data, word.flags);
    }
    return sum;
}

}  // namespace khhw
