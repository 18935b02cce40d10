// Memories of all lanes. Where reads take a cycle, rows lie lane by lane; where they do not, planes lie row by row.
//
// `Spec` is one of the structs of tables.h: sizes of a memory and references of its ports. References are as
// State::get has them.
#pragma once

#include <cstddef>
#include <type_traits>

#include "transpose.h"

namespace khhw {

// The two arrays of a set of nodes that references lead to: flip-flops, and what is fixed in place.
struct State {
    Vector* flip_flops;
    Vector* fixed;

    const Vector& get(uint32_t reference) const {
        return reference & 1 ? fixed[reference >> 1] : flip_flops[reference >> 1];
    }
    Vector& place(uint32_t reference) const { return fixed[reference >> 1]; }
};

template <unsigned kBits>
using NumberOf = std::conditional_t<(kBits > 16), uint32_t, uint16_t>;

// Numbers of so many bits, one a lane.
template <unsigned kBits>
void numbers(const State& state, const uint32_t* references, NumberOf<kBits>* to) {
    constexpr unsigned kParts = (kBits + 7) / 8;
    alignas(64) uint8_t bytes[kParts][kLanes];
    for (unsigned part = 0; part < kParts; ++part) {
        Vector planes[8];
        for (unsigned bit = 0; bit < 8; ++bit)
            planes[bit] = 8 * part + bit < kBits ? state.get(references[8 * part + bit]) : zeros();
        planes_to_bytes(planes, bytes[part]);
    }
    for (unsigned lane = 0; lane < kLanes; ++lane) {
        uint32_t number = 0;
        for (unsigned part = 0; part < kParts; ++part) number |= uint32_t{bytes[part][lane]} << 8 * part;
        to[lane] = static_cast<NumberOf<kBits>>(number);
    }
}

template <class Spec>
class DeepMemory {
    // Which lanes of a read port must read in any case, and the address each has read last.
    struct Reader {
        Vector stale, address[Spec::kAddressBits];
    };

  public:
    static constexpr unsigned kParts = (Spec::kWidth + 63) / 64, kRows = 1u << Spec::kAddressBits;
    static constexpr size_t kRowBytes = size_t{kLanes} * kRows * kParts * 8;
    static constexpr size_t kBytes = kRowBytes + Spec::kReadPorts * sizeof(Reader);

    static uint64_t* row(char* memory, unsigned lane, unsigned row) {
        return reinterpret_cast<uint64_t*>(memory) + (size_t{lane} * kRows + row) * kParts;
    }
    // Let all read ports of these lanes read again, whatever they have read.
    static void changed(char* memory, const Vector& lanes) {
        for (unsigned port = 0; port < Spec::kReadPorts; ++port)
            readers(memory)[port].stale = either(readers(memory)[port].stale, lanes);
    }
    static void start(char* memory) { changed(memory, ones()); }

    // What is read within a cycle; then the clock edge.
    static void read_at_once(char*, const State&) {}
    static void edge(char* memory, const State& state) {
        for (unsigned port = 0; port < Spec::kReadPorts; ++port)
            if (!Spec::kTransparent[port]) read(memory, state, port);
        const Vector written = write(memory, state);
        if (any(written)) changed(memory, written);
        for (unsigned port = 0; port < Spec::kReadPorts; ++port)
            if (Spec::kTransparent[port]) read(memory, state, port);
    }

  private:
    struct alignas(64) Rows {
        uint64_t part[kParts][kLanes];
    };
    static constexpr unsigned bits(unsigned part) {
        return Spec::kWidth - 64 * part < 64 ? Spec::kWidth - 64 * part : 64;
    }

    static Reader* readers(char* memory) { return reinterpret_cast<Reader*>(memory + kRowBytes); }

    static void read(char* memory, const State& state, unsigned port) {
        Reader& reader = readers(memory)[port];
        const Vector enable = state.get(Spec::kReadEnable[port]);
        Vector moved = reader.stale;
        for (unsigned bit = 0; bit < Spec::kAddressBits; ++bit) {
            const Vector address = state.get(Spec::kReadAddress[port][bit]);
            moved = either(moved, differ(address, reader.address[bit]));
            reader.address[bit] = blend(enable, address, reader.address[bit]);
        }
        reader.stale = without(reader.stale, enable);
        if (const Vector mask = both(enable, moved); any(mask)) fetch(memory, state, port, mask);
    }

    static void fetch(char* memory, const State& state, unsigned port, const Vector& mask) {
        NumberOf<Spec::kAddressBits> address[kLanes];
        numbers<Spec::kAddressBits>(state, Spec::kReadAddress[port], address);
        Rows rows;
        each_lane(mask, [&](unsigned lane) {
            const uint64_t* from = row(memory, lane, address[lane]);
            for (unsigned part = 0; part < kParts; ++part) rows.part[part][lane] = from[part];
        });
        for (unsigned part = 0; part < kParts; ++part) {
            Vector planes[64];
            to_planes(rows.part[part], bits(part), planes);
            for (unsigned bit = 0; bit < bits(part); ++bit) {
                Vector& to = state.place(Spec::kReadData[port][64 * part + bit]);
                to = blend(mask, planes[bit], to);
            }
        }
    }

    static Vector write(char* memory, const State& state) {
        Vector mask = state.get(Spec::kWriteEnable[0]);
        for (unsigned bit = kGroup; bit < Spec::kWidth; bit += kGroup)
            mask = either(mask, state.get(Spec::kWriteEnable[bit]));
        if (!any(mask)) return mask;
        NumberOf<Spec::kAddressBits> address[kLanes];
        numbers<Spec::kAddressBits>(state, Spec::kWriteAddress, address);
        Rows data, enable;
        to_rows(state, Spec::kWriteData, data);
        if constexpr (Spec::kEnables > 1) to_rows(state, Spec::kWriteEnable, enable);
        each_lane(mask, [&](unsigned lane) {
            uint64_t* to = row(memory, lane, address[lane]);
            for (unsigned part = 0; part < kParts; ++part) {
                const uint64_t kept = Spec::kEnables > 1 ? ~enable.part[part][lane] : 0;
                to[part] = (to[part] & kept) | (data.part[part][lane] & ~kept);
            }
        });
        return mask;
    }

    static void to_rows(const State& state, const uint32_t* references, Rows& rows) {
        for (unsigned part = 0; part < kParts; ++part) {
            Vector planes[64];
            for (unsigned bit = 0; bit < 64; ++bit)
                planes[bit] = bit < bits(part) ? state.get(references[64 * part + bit]) : zeros();
            if (bits(part) > 8) {
                planes_to_rows(planes, rows.part[part]);
                continue;
            }
            alignas(64) uint8_t bytes[kLanes];
            planes_to_bytes(planes, bytes);
            for (unsigned lane = 0; lane < kLanes; ++lane) rows.part[part][lane] = bytes[lane];
        }
    }

    static void to_planes(const uint64_t* rows, unsigned bits, Vector planes[64]) {
        if (bits > 8) {
            rows_to_planes(rows, planes);
            return;
        }
        alignas(64) uint8_t bytes[kLanes];
        for (unsigned lane = 0; lane < kLanes; ++lane) bytes[lane] = static_cast<uint8_t>(rows[lane]);
        bytes_to_planes(bytes, planes);
    }

    static constexpr unsigned kGroup = Spec::kWidth / Spec::kEnables;
};

template <class Spec>
class FlatMemory {
  public:
    static constexpr unsigned kRows = 1u << Spec::kAddressBits;
    static constexpr size_t kBytes = sizeof(Vector) * kRows * Spec::kWidth;

    static void start(char*) {}

    static void read_at_once(char* memory, const State& state) {
        for (unsigned port = 0; port < Spec::kReadPorts; ++port) read(memory, state, port);
    }

    static void edge(char* memory, const State& state) {
        const Vector mask = state.get(Spec::kWriteEnable[0]);
        if (!any(mask)) return;
        Vector* rows = reinterpret_cast<Vector*>(memory);
        for (unsigned row = 0; row < kRows; ++row) {
            const Vector hit = selected(state, Spec::kWriteAddress, row, mask);
            if (!any(hit)) continue;
            for (unsigned bit = 0; bit < Spec::kWidth; ++bit) {
                Vector& to = rows[row * Spec::kWidth + bit];
                to = blend(hit, state.get(Spec::kWriteData[bit]), to);
            }
        }
    }

  private:
    static void read(char* memory, const State& state, unsigned port) {
        Vector out[Spec::kWidth];
        for (Vector& bit : out) bit = zeros();
        const Vector* rows = reinterpret_cast<const Vector*>(memory);
        for (unsigned row = 0; row < kRows; ++row) {
            const Vector hit = selected(state, Spec::kReadAddress[port], row, ones());
            if (!any(hit)) continue;
            for (unsigned bit = 0; bit < Spec::kWidth; ++bit)
                out[bit] = either(out[bit], both(hit, rows[row * Spec::kWidth + bit]));
        }
        for (unsigned bit = 0; bit < Spec::kWidth; ++bit) state.place(Spec::kReadData[port][bit]) = out[bit];
    }

    // Lanes of `hit` whose address is `row`.
    static Vector selected(const State& state, const uint32_t* address, unsigned row, Vector hit) {
        for (unsigned bit = 0; bit < Spec::kAddressBits; ++bit) {
            const Vector& plane = state.get(address[bit]);
            hit = row >> bit & 1 ? both(hit, plane) : without(hit, plane);
        }
        return hit;
    }
};

}  // namespace khhw
