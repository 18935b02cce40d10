// The waves of some nodes of a machine, and of its outside, in some of its cycles.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "waves.h"

namespace khhw {

// What to write: of which nodes, from cycle `first` to the one before `end`. Cycle 0 is at `origin` in the file's time.
struct WaveWindow {
    std::vector<int> ranks;
    uint64_t first = 0, end = 0;
    uint64_t origin = 0;
    bool holds(uint64_t cycle) const { return first <= cycle && cycle < end; }
};

// What the outside of a machine shows, one bit a node and more, as a fabric has it.
struct WaveOutside {
    uint8_t clk = 0, rst = 0, idle = 0;
    uint64_t now = 0;
    std::vector<uint64_t> irq, held, quiescent;
};

struct TorusWaves {
    WaveWindow window;
    WaveOutside outside;
    uint64_t steps = 0;  // cycles since the first one, without those that were skipped
    std::unique_ptr<Waves> file;
};

}  // namespace khhw
