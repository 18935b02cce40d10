// One bit of 512 nodes: a vector register.
#pragma once

#include <immintrin.h>

#include <cstdint>
#include <cstring>

#if !(defined(__AVX512F__) && defined(__AVX512BW__) && defined(__AVX512VBMI__) && defined(__AVX512VBMI2__) && \
      defined(__GFNI__))
#error "lanes need AVX-512 with VBMI and VBMI2, and GFNI"
#endif

namespace khhw {

constexpr unsigned kLanes = 512, kLaneWords = kLanes / 64;

using Vector = __m512i;

inline Vector zeros() { return _mm512_setzero_si512(); }
inline Vector ones() { return _mm512_set1_epi64(-1); }
inline bool any(Vector a) { return _mm512_test_epi64_mask(a, a); }
inline Vector both(Vector a, Vector b) { return _mm512_and_si512(a, b); }
inline Vector either(Vector a, Vector b) { return _mm512_or_si512(a, b); }
inline Vector differ(Vector a, Vector b) { return _mm512_xor_si512(a, b); }
// `a` without what is in `b`.
inline Vector without(Vector a, Vector b) { return _mm512_andnot_si512(b, a); }
inline Vector blend(Vector mask, Vector yes, Vector no) { return _mm512_ternarylogic_epi64(mask, yes, no, 0xca); }

inline uint64_t word_of(const Vector& vector, unsigned index) {
    uint64_t word;
    std::memcpy(&word, reinterpret_cast<const char*>(&vector) + 8 * index, 8);
    return word;
}
inline bool bit_of(const Vector& vector, unsigned lane) { return word_of(vector, lane / 64) >> lane % 64 & 1; }
inline void set_bit(Vector& vector, unsigned lane, bool value) {
    char* at = reinterpret_cast<char*>(&vector) + lane / 8;
    const char bit = static_cast<char>(1 << lane % 8);
    *at = static_cast<char>(value ? *at | bit : *at & ~bit);
}

// Call f(lane) for every lane in `mask`.
template <class F>
void each_lane(const Vector& mask, F&& f) {
    for (unsigned index = 0; index < kLaneWords; ++index)
        for (uint64_t left = word_of(mask, index); left; left &= left - 1)
            f(64 * index + static_cast<unsigned>(__builtin_ctzll(left)));
}

// One byte a lane, 0 or 1.
inline void expand(const Vector& bits, uint8_t* bytes) {
    for (unsigned index = 0; index < kLaneWords; ++index) {
        const Vector part = _mm512_maskz_set1_epi8(word_of(bits, index), 1);
        _mm512_storeu_si512(bytes + 64 * index, part);
    }
}

}  // namespace khhw
