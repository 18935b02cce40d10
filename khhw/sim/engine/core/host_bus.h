// The host ports of all nodes: AXI4-Lite managers, as docs/host-time.md says.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "torus.h"

namespace khhw {

struct Answer {
    int32_t rank;
    uint32_t value;
    int32_t error;
};

class HostBus {
  public:
    explicit HostBus(Torus& torus) : torus_{torus}, ports_(torus.nodes()) {}

    bool busy() const { return !active_.empty(); }
    const std::vector<Answer>& answers() const { return answers_; }

    // Show an access from this cycle on. One at a time a node.
    void start(int rank, uint32_t address, uint32_t value, bool write) {
        torus_.wake(rank);
        auto& cell = torus_.cell(rank).ports();
        if (write) {
            cell.host___05Fawaddr = address;
            cell.host___05Fwdata = value;
            cell.host___05Fawvalid = cell.host___05Fwvalid = 1;
        } else {
            cell.host___05Faraddr = address;
            cell.host___05Farvalid = 1;
        }
        ports_[rank].write = write;
        active_.push_back(rank);
        changed_.push_back(rank);
    }

    // Let cells see what has changed on their host ports since the last clock edge.
    void settle() {
        for (const int rank : changed_) {
            if (ports_[rank].release) release(rank);
            torus_.wake(rank);
            torus_.settle(rank);
        }
        changed_.clear();
    }

    // Look at the ports at the end of a cycle. What was accepted is taken back behind the edge.
    void sample() {
        answers_.clear();
        size_t kept = 0;
        for (const int rank : active_) {
            if (!finished(rank)) active_[kept++] = rank;
        }
        active_.resize(kept);
        std::sort(answers_.begin(), answers_.end(), [](const Answer& a, const Answer& b) { return a.rank < b.rank; });
    }

  private:
    struct Port {
        bool write = false;
        uint8_t release = 0;
    };
    enum : uint8_t { kAddress = 1, kData = 2, kRead = 4 };

    bool finished(int rank) {
        auto& cell = torus_.cell(rank).ports();
        Port& port = ports_[rank];
        if (port.write) {
            if (cell.host___05Fawvalid && cell.host___05Fawready) port.release |= kAddress;
            if (cell.host___05Fwvalid && cell.host___05Fwready) port.release |= kData;
        } else if (cell.host___05Farvalid && cell.host___05Farready) {
            port.release |= kRead;
        }
        if (port.release) changed_.push_back(rank);
        const bool accepted = port.write ? !(cell.host___05Fawvalid && !(port.release & kAddress)) &&
                                               !(cell.host___05Fwvalid && !(port.release & kData))
                                         : !(cell.host___05Farvalid && !(port.release & kRead));
        if (!accepted) return false;
        if (port.write ? cell.host___05Fbvalid : cell.host___05Frvalid) {
            const int response = port.write ? cell.host___05Fbresp : cell.host___05Frresp;
            answers_.push_back({rank, port.write ? 0 : cell.host___05Frdata, (response & 2) != 0});
            return true;
        }
        return false;
    }
    void release(int rank) {
        auto& cell = torus_.cell(rank).ports();
        const uint8_t what = ports_[rank].release;
        if (what & kAddress) cell.host___05Fawvalid = 0;
        if (what & kData) cell.host___05Fwvalid = 0;
        if (what & kRead) cell.host___05Farvalid = 0;
        ports_[rank].release = 0;
    }

    Torus& torus_;
    std::vector<Port> ports_;
    std::vector<int> active_, changed_;
    std::vector<Answer> answers_;
};

}  // namespace khhw
