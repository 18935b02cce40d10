#include "torus_cables.h"

#include <algorithm>
#include <map>

namespace khhw {

namespace {
constexpr unsigned kCreditsAt = 1, kTagAt = kCreditsAt + kTorusCredits, kTorusBits = kTagAt + kTorusTag + kTorusFlit;
constexpr int kPorts = kTorusPorts;

int floor_divided(int a, int b) { return a >= 0 ? a / b : -((b - 1 - a) / b); }
}  // namespace

TorusCables::TorusCables(int nodes, const int32_t* neighbours) {
    const int lanes = kLanes, sets = (nodes + lanes - 1) / lanes;
    for (int set = 0; set < sets; ++set) {
        for (int number = 0; number < kPorts; ++number) {
            std::map<int, Vector> masks;  // by how many ranks further the other end is
            Vector linked = zeros();
            for (int rank = set * lanes; rank < std::min(nodes, (set + 1) * lanes); ++rank) {
                const int there = neighbours[rank * kPorts + number];
                if (there < 0) continue;
                set_bit(masks.try_emplace(there - rank, zeros()).first->second, rank % lanes, true);
                set_bit(linked, rank % lanes, true);
            }
            Port port;
            for (const auto& [distance, mask] : masks) {
                const int from = set * lanes + distance, word = floor_divided(from, 64);
                const int low = floor_divided(word, 8), first = word - 8 * low;
                uint64_t words[8], following[8];
                for (int index = 0; index < 8; ++index) {
                    words[index] = first + index;
                    following[index] = first + index + 1;
                }
                port.moves.push_back({std::clamp(low, 0, sets - 1), std::clamp(low + 1, 0, sets - 1),
                                      _mm512_loadu_si512(words), _mm512_loadu_si512(following),
                                      _mm512_set1_epi64(from - 64 * word), mask});
            }
            ports_.push_back(port);
            linked_.push_back(linked);
        }
    }
}

Vector TorusCables::moved(const Move& move, Vector low, Vector high) {
    return _mm512_shrdv_epi64(_mm512_permutex2var_epi64(low, move.words, high),
                              _mm512_permutex2var_epi64(low, move.following, high), move.shift);
}

bool TorusCables::any_sent(const Port& port, const std::vector<Sent>& sent, uint8_t Sent::*what, int from) const {
    return std::any_of(port.moves.begin(), port.moves.end(), [&](const Move& move) {
        return (sent[move.low].*what | sent[move.high].*what) >> from & 1;
    });
}

bool TorusCables::reach(int set, const std::vector<Sent>& sent) const {
    for (int number = 0; number < kPorts; ++number) {
        const Port& port = ports_[set * kPorts + number];
        for (const auto what : {&Sent::flits, &Sent::credits})
            if (any_sent(port, sent, what, number ^ 1)) return true;
    }
    return false;
}

void TorusCables::take(const Port& port, std::vector<std::unique_ptr<NodeSet>>& sets, NodeSet& to, int number,
                       unsigned first, unsigned last) {
    for (unsigned bit = first; bit < last; ++bit) {
        const uint32_t from = kTorusSent[number ^ 1][bit];
        Vector value = zeros();
        for (const Move& move : port.moves)
            value = either(value, both(move.mask, moved(move, sets[move.low]->get(from), sets[move.high]->get(from))));
        to.input(kTorusTaken[number][bit]) = value;
    }
}

bool TorusCables::bring(int set, std::vector<std::unique_ptr<NodeSet>>& sets, const std::vector<Sent>& sent) {
    NodeSet& to = *sets[set];
    Vector came = zeros();
    for (int number = 0; number < kPorts; ++number) {
        Port& port = ports_[set * kPorts + number];
        const bool flits = any_sent(port, sent, &Sent::flits, number ^ 1);
        const bool credits = any_sent(port, sent, &Sent::credits, number ^ 1);
        if (flits | port.flits) take(port, sets, to, number, 0, 1);
        if (flits) take(port, sets, to, number, kTagAt, kTorusBits);
        if (credits | port.credits) take(port, sets, to, number, kCreditsAt, kTagAt);
        port.flits = flits;
        port.credits = credits;
        if (flits | credits)
            for (unsigned bit = 0; bit < kTagAt; ++bit) came = either(came, to.get(kTorusTaken[number][bit]));
    }
    return any(came);
}

}  // namespace khhw
