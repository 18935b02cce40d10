// The cables of the torus: what a set sends at a port is what other sets, or itself, take at the port across, moved to
// other lanes.
#pragma once

#include <vector>

#include "node_set.h"
#include "ports.h"

namespace khhw {

// What a set of nodes has sent in a cycle, by port.
struct Sent {
    uint8_t flits = 0, credits = 0;  // bit p: some lane at torus port p
    bool tree = false;
};

class TorusCables {
  public:
    // neighbours: rank at the other end of each torus port, -1 for none.
    TorusCables(int nodes, const int32_t* neighbours);

    // Lanes of a set whose torus port `port` leads somewhere.
    const Vector& linked(int set, int port) const { return linked_[set * kTorusPorts + port]; }
    // Whether something that sets have sent may reach this set.
    bool reach(int set, const std::vector<Sent>& sent) const;
    // Bring what sets have sent to the inputs of a set. Returns whether something came.
    bool bring(int set, std::vector<std::unique_ptr<NodeSet>>& sets, const std::vector<Sent>& sent);

  private:
    // Lanes of a set that get what lies a fixed number of ranks away: in two sets next to each other.
    struct Move {
        int low, high;      // sets
        __m512i words;      // where words come from, of both sets' words
        __m512i following;  // the words behind these
        __m512i shift;      // bits
        Vector mask;
    };
    struct Port {
        std::vector<Move> moves;
        bool flits = false, credits = false;  // what its inputs show
    };

    static Vector moved(const Move& move, Vector low, Vector high);
    bool any_sent(const Port& port, const std::vector<Sent>& sent, uint8_t Sent::*what, int from) const;
    // Bits from `first` to before `last` of what is taken at port `number`.
    static void take(const Port& port, std::vector<std::unique_ptr<NodeSet>>& sets, NodeSet& to, int number,
                     unsigned first, unsigned last);

    std::vector<Port> ports_;  // [set][port]
    std::vector<Vector> linked_;
};

}  // namespace khhw
