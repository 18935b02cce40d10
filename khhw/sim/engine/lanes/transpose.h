// From planes, one bit of all lanes each, to rows, all bits of one lane each, and back.
#pragma once

#include <array>

#include "vector.h"

namespace khhw {

namespace transposing {

using Indices = std::array<uint8_t, 64>;

// Index of the byte that goes to byte `at`, for each of 64 bytes seen as 8 words of 8 bytes.
template <class F>
constexpr Indices indices(F&& from) {
    Indices result{};
    for (unsigned at = 0; at < 64; ++at) result[at] = static_cast<uint8_t>(from(at / 8, at % 8));
    return result;
}

alignas(64) inline constexpr Indices kReversed =
    indices([](unsigned word, unsigned byte) { return 8 * word + 7 - byte; });
alignas(64) inline constexpr Indices kBytes = indices([](unsigned word, unsigned byte) { return 8 * byte + word; });
alignas(64) inline constexpr Indices kMirrored =
    indices([](unsigned word, unsigned byte) { return 8 * (7 - byte) + word; });

inline Vector permuted(const Indices& index, Vector x) { return _mm512_permutexvar_epi8(_mm512_load_si512(&index), x); }

// Eight times 8x8 bits, whose bytes come in reverse order.
inline Vector bits(Vector x) { return _mm512_gf2p8affine_epi64_epi8(_mm512_set1_epi64(0x8040201008040201ll), x, 0); }

// 8x8 words across registers.
inline void words(Vector r[8]) {
    Vector a[8], b[8];
    for (int i = 0; i < 8; i += 2) {
        a[i] = _mm512_unpacklo_epi64(r[i], r[i + 1]);
        a[i + 1] = _mm512_unpackhi_epi64(r[i], r[i + 1]);
    }
    for (int i = 0; i < 8; i += 4)
        for (int k = 0; k < 2; ++k) {
            b[i + k] = _mm512_shuffle_i64x2(a[i + k], a[i + k + 2], 0x88);
            b[i + k + 2] = _mm512_shuffle_i64x2(a[i + k], a[i + k + 2], 0xdd);
        }
    for (int k = 0; k < 4; ++k) {
        r[k] = _mm512_shuffle_i64x2(b[k], b[k + 4], 0x88);
        r[k + 4] = _mm512_shuffle_i64x2(b[k], b[k + 4], 0xdd);
    }
}

}  // namespace transposing

// bytes[lane], bit k: planes[k], lane.
inline void planes_to_bytes(Vector planes[8], uint8_t* bytes) {
    using namespace transposing;
    words(planes);
    for (int group = 0; group < 8; ++group)
        _mm512_store_si512(bytes + 64 * group, bits(permuted(kMirrored, planes[group])));
}

inline void bytes_to_planes(const uint8_t* bytes, Vector planes[8]) {
    using namespace transposing;
    for (int group = 0; group < 8; ++group)
        planes[group] = permuted(kBytes, bits(permuted(kReversed, _mm512_load_si512(bytes + 64 * group))));
    words(planes);
}

// rows[lane], bit k: planes[k], lane.
inline void planes_to_rows(Vector planes[64], uint64_t* rows) {
    using namespace transposing;
    for (int part = 0; part < 8; ++part) words(planes + 8 * part);
    for (int group = 0; group < 8; ++group) {
        Vector r[8];
        for (int part = 0; part < 8; ++part) r[part] = permuted(kMirrored, planes[8 * part + group]);
        words(r);
        for (int i = 0; i < 8; ++i) _mm512_store_si512(rows + 64 * group + 8 * i, permuted(kBytes, bits(r[i])));
    }
}

inline void rows_to_planes(const uint64_t* rows, Vector planes[64]) {
    using namespace transposing;
    for (int group = 0; group < 8; ++group) {
        Vector r[8];
        for (int i = 0; i < 8; ++i) r[i] = bits(permuted(kMirrored, _mm512_load_si512(rows + 64 * group + 8 * i)));
        words(r);
        for (int part = 0; part < 8; ++part) planes[8 * part + group] = permuted(kBytes, r[part]);
    }
    for (int part = 0; part < 8; ++part) words(planes + 8 * part);
}

}  // namespace khhw
