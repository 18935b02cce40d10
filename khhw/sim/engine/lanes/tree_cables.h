// The cables of the tree: few flits, each carried on its own.
#pragma once

#include <vector>

#include "node_set.h"
#include "ports.h"

namespace khhw {

// What one cable brings in a cycle.
struct TreeWord {
    int rank;  // whom it reaches; -1: the owner's port above the root
    int port;  // by which it enters
    bool valid;
    uint8_t credits, channel;
    uint64_t data;
    uint32_t flags;  // of a flit: its bits from 64 on
};

// Lanes of a set that send at a tree port.
inline Vector tree_senders(const NodeSet& set, int port) {
    Vector lanes = zeros();
    for (unsigned bit = 0; bit <= kTreeCredits; ++bit) lanes = either(lanes, set.get(kTreeSent[port][bit]));
    return lanes;
}

// What a lane sends at a tree port.
inline TreeWord tree_word(const NodeSet& set, unsigned lane, int port) {
    const uint32_t* bits = kTreeSent[port];
    const uint32_t *credits = bits + 1, *tag = credits + kTreeCredits, *flit = tag + kTreeTag;
    TreeWord word{-1, 0, set.bit(*bits, lane), static_cast<uint8_t>(set.value(credits, kTreeCredits, lane)), 0, 0, 0};
    if (!word.valid) return word;
    word.channel = static_cast<uint8_t>(set.value(tag, kTreeTag, lane));
    word.data = set.value(flit, 64, lane);
    word.flags = static_cast<uint32_t>(set.value(flit + 64, kTreeFlit - 64, lane));
    return word;
}

// Nothing comes in by the tree.
inline void clear_tree(NodeSet& set) {
    for (const auto& bits : kTreeTaken)
        for (unsigned bit = 0; bit <= kTreeCredits; ++bit) set.input(bits[bit]) = zeros();
}

// Show a lane what comes in; a cable may bring a flit and credits in two words.
inline void take_tree_word(NodeSet& set, unsigned lane, const TreeWord& word) {
    const uint32_t* bits = kTreeTaken[word.port];
    const uint32_t *credits = bits + 1, *tag = credits + kTreeCredits, *flit = tag + kTreeTag;
    for (unsigned bit = 0; bit < kTreeCredits; ++bit)
        if (word.credits >> bit & 1) set_bit(set.input(credits[bit]), lane, true);
    if (!word.valid) return;
    set_bit(set.input(*bits), lane, true);
    set.set(tag, kTreeTag, lane, word.channel);
    set.set(flit, 64, lane, word.data);
    set.set(flit + 64, kTreeFlit - 64, lane, word.flags);
}

}  // namespace khhw
