// One number for all that a node has sent and asked for, as rtl/misr.py computes it in a fabric.
#pragma once

#include <bit>
#include <cstdint>

namespace khhw {

constexpr uint64_t kSignaturePolynomial = 0x1b;  // x^64 + x^4 + x^3 + x + 1
constexpr int kPortRotation = 7;

// What a node's outgoing cable registers hold in one cycle, folded into 64 bits; 0 if nothing moves.
class CableWord {
  public:
    void flit(int port, uint8_t tag, const uint32_t* words) {
        const uint64_t data = words[0] | uint64_t{words[1]} << 32;
        const uint64_t flags = uint64_t{tag} << 3 | (words[2] & 7);
        add(port, data ^ flags << 58);
    }
    void credit(int port, uint8_t credits) { add(port, uint64_t{credits} << 26); }
    uint64_t value() const { return value_; }
    bool any() const { return any_; }

  private:
    void add(int port, uint64_t word) {
        value_ ^= std::rotl(word, kPortRotation * port);
        any_ = true;
    }
    uint64_t value_ = 0;
    bool any_ = false;
};

constexpr uint64_t irq_word(uint8_t level) { return uint64_t{2u | level} << 30; }

inline uint64_t signed_on(uint64_t signature, uint64_t word, uint64_t cycle) {
    word ^= std::rotl(cycle, 32);
    return signature << 1 ^ (signature >> 63 ? kSignaturePolynomial : 0) ^ word;
}

}  // namespace khhw
