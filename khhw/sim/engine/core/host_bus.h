// The host ports of all nodes: AXI4-Lite managers, as docs/host-time.md says.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include <torus.h>

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
        torus_.ask(rank, address, value, write);
        ports_[rank] = {write, static_cast<uint8_t>(write ? kAddress | kData : kRead), 0};
        active_.push_back(rank);
        changed_.push_back(rank);
    }

    // Let nodes see what has changed on their host ports since the last clock edge.
    void settle() {
        for (const int rank : changed_) {
            Port& port = ports_[rank];
            if (port.accepted) torus_.take_back_request(rank, port.accepted);
            port.offered &= ~port.accepted;
            port.accepted = 0;
        }
        if (!changed_.empty()) torus_.settle(changed_);
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
        uint8_t offered = 0;   // channels whose valid is 1
        uint8_t accepted = 0;  // those of them that were taken at the end of this cycle
    };

    bool finished(int rank) {
        const HostAnswer answer = torus_.answer(rank);
        Port& port = ports_[rank];
        port.accepted = port.offered & answer.ready;
        if (port.accepted) changed_.push_back(rank);
        if (port.offered != port.accepted) return false;
        if (!(port.write ? answer.written : answer.read)) return false;
        answers_.push_back({rank, port.write ? 0 : answer.data, answer.error});
        return true;
    }

    Torus& torus_;
    std::vector<Port> ports_;
    std::vector<int> active_, changed_;
    std::vector<Answer> answers_;
};

}  // namespace khhw
