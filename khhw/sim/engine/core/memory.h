// The back door to node memories, and to registers by name.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace khhw {

constexpr size_t kWordBytes = 32;

// Bytes of a memory of 256-bit words. Byte 32 w is the most significant of word w, and the words of a VlWide go from
// the least significant on, so on a little-endian machine a word of memory is 32 bytes backwards.
inline void copy_out(const uint8_t* memory, size_t address, size_t length, uint8_t* to) {
    for (size_t at = address; at < address + length; ++at)
        *to++ = memory[at / kWordBytes * kWordBytes + (kWordBytes - 1 - at % kWordBytes)];
}

inline void copy_in(uint8_t* memory, size_t address, size_t length, const uint8_t* from) {
    for (size_t at = address; at < address + length; ++at)
        memory[at / kWordBytes * kWordBytes + (kWordBytes - 1 - at % kWordBytes)] = *from++;
}

// Where a register or memory of a node is: rows of `bits` bits, `stride` bytes apart.
struct SignalOffset {
    const char* name;
    size_t offset;
    int bits;
    size_t stride;
    size_t rows;
};

}  // namespace khhw
