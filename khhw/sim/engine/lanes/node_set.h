// 512 nodes side by side.
#pragma once

#include <memory>

#include "memories.h"
#include "tables.h"

namespace khhw {

class NodeSet {
  public:
    // All nodes as they are when power comes, in reset.
    NodeSet();

    static size_t bytes();

    // Let visible outputs follow the state and the inputs.
    void show();
    // A clock edge: what cables take next is put out, flip-flops and memories change.
    void evaluate();

    const Vector& get(uint32_t reference) const { return state_.get(reference); }
    Vector& input(uint32_t reference) { return state_.place(reference); }
    bool bit(uint32_t reference, unsigned lane) const { return bit_of(get(reference), lane); }
    // Bits of a port of one lane, the first of `references` the least significant.
    uint64_t value(const uint32_t* references, unsigned bits, unsigned lane) const {
        uint64_t value = 0;
        for (unsigned at = 0; at < bits; ++at) value |= uint64_t{bit(references[at], lane)} << at;
        return value;
    }
    void set(const uint32_t* references, unsigned bits, unsigned lane, uint64_t value) {
        for (unsigned at = 0; at < bits; ++at) set_bit(input(references[at]), lane, value >> at & 1);
    }
    // The same time for all lanes.
    void set_now(uint64_t now);

    // The rows of a lane's memory, each kRowWords words, the least significant first.
    uint64_t* ram(unsigned lane);
    // Rows of a lane's memory have been changed behind its back.
    void ram_changed(unsigned lane);

  private:
    struct Unmap {
        void operator()(char* memory) const;
    };
    std::unique_ptr<char, Unmap> memory_;
    State state_;
    Vector* next_;
    Vector* slots_;
    char* memories_;
    uint64_t now_ = 0;
};

}  // namespace khhw
