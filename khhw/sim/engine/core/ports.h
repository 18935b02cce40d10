// Ports of nodes: how many cables there are, and what a host sees and does.
#pragma once

#include <cstdint>
#include <vector>

namespace khhw {

constexpr int kTorusPorts = 6;
constexpr int kTreePorts = 3;  // parent, left child, right child

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

}  // namespace khhw
