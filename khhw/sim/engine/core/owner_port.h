// The stream ports above the tree's root. What comes out is always taken.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include <torus.h>

namespace khhw {

struct TreePacket {
    std::vector<uint64_t> flits;
    int channel = 0;
};

class OwnerPort {
  public:
    explicit OwnerPort(Torus& torus) : torus_{torus} {}

    // Whether a flit moved at the last edge or is offered.
    bool busy() const { return sending_ || receiving_; }
    bool taken() const { return taken_; }
    const TreePacket* arrived() const { return arrived_ ? &incoming_ : nullptr; }

    // Show the first flit of a packet from this cycle on.
    void start(const uint64_t* flits, int count, int channel) {
        outgoing_ = {{flits, flits + count}, channel};
        position_ = 0;
        sending_ = changed_ = true;
    }

    void settle() {
        if (!changed_) return;
        changed_ = false;
        auto& root = torus_.root().ports();
        root.owner_in___05Fvalid = sending_;
        if (sending_) {
            const bool last = position_ + 1 == outgoing_.flits.size();
            auto& payload = root.owner_in___05Fpayload;
            payload[0] = static_cast<uint32_t>(outgoing_.flits[position_]);
            payload[1] = static_cast<uint32_t>(outgoing_.flits[position_] >> 32);
            payload[2] = flag(kLastBit, last) | flag(kFirstBit, position_ == 0) | flag(kChannelBit, outgoing_.channel);
        }
        torus_.settle_root();
    }

    // Look at both streams at the end of a cycle: a flit each way.
    void sample() {
        const auto& root = torus_.root().ports();
        taken_ = arrived_ = false;
        if (sending_ && root.owner_in___05Fready) {
            changed_ = true;
            if (++position_ == outgoing_.flits.size()) {
                sending_ = false;
                taken_ = true;
            }
        }
        receiving_ = root.owner_out___05Fvalid;
        if (receiving_) receive();
    }

  private:
    void receive() {
        const auto& payload = torus_.root().ports().owner_out___05Fpayload;
        const auto bit = [&](int number) { return has_flag(payload[2], number); };
        if (bit(kFirstBit)) incoming_.flits.clear();
        incoming_.flits.push_back(payload[0] | uint64_t{payload[1]} << 32);
        if (!bit(kLastBit)) return;
        incoming_.channel = bit(kChannelBit);
        arrived_ = !bit(kBadBit);
    }

    Torus& torus_;
    TreePacket outgoing_, incoming_;
    size_t position_ = 0;
    bool sending_ = false, receiving_ = false, changed_ = false, taken_ = false, arrived_ = false;
};

}  // namespace khhw
