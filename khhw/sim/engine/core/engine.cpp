#include "engine.h"

#include <cstring>
#include <exception>

#include "host_bus.h"
#include "owner_port.h"
// Of the evaluator that is compiled with this.
#include <torus.h>

namespace khhw {

// Bytes of a vector taken eight at a time.
bool any_both(const std::vector<uint8_t>& a, const std::vector<uint8_t>& b) {
    size_t at = 0;
    for (; at + 8 <= a.size(); at += 8) {
        uint64_t left, right;
        std::memcpy(&left, &a[at], 8);
        std::memcpy(&right, &b[at], 8);
        if (left & right) return true;
    }
    for (; at < a.size(); ++at)
        if (a[at] & b[at]) return true;
    return false;
}

bool holds(const khhw_condition& condition, int nodes) {
    for (int rank = 0; rank < nodes; ++rank) {
        if (!condition.mask[rank]) continue;
        const bool here = condition.vector[rank] == condition.equals;
        if (here != bool{condition.all != 0}) return here;
    }
    return condition.all;
}

}  // namespace khhw

struct khhw_engine {
    khhw_engine(int nodes, const uint64_t* straps, const int32_t* neighbours, int threads, uint32_t random)
        : torus{nodes, straps, neighbours, threads, random}, bus{torus}, owner{torus}, listening(nodes, 0),
          irq_before(nodes, 0), held_before(nodes, 0) {}

    khhw::Torus torus;
    khhw::HostBus bus;
    khhw::OwnerPort owner;
    std::vector<uint8_t> listening, irq_before, held_before;
    bool told = false;  // which nodes are held at first

    // What the machine shows at the end of this cycle that somebody waits for.
    int sample(int reasons) {
        int seen = 0;
        if (bus.busy()) {
            bus.sample();
            if (!bus.answers().empty()) seen |= KHHW_ANSWER;
        }
        owner.sample();
        if (owner.taken()) seen |= KHHW_TAKEN;
        if (owner.arrived()) seen |= KHHW_PACKET;
        auto& outputs = torus.outputs();
        if (!told || outputs.held != held_before) {
            std::copy(outputs.held.begin(), outputs.held.end(), held_before.begin());
            told = true;
            seen |= KHHW_HELD;
        }
        if ((reasons & KHHW_INTERRUPT) && khhw::any_both(outputs.irq, listening)) {
            std::copy(outputs.irq.begin(), outputs.irq.end(), irq_before.begin());
            seen |= KHHW_INTERRUPT;
        }
        return seen & reasons;
    }
    bool idle() const { return torus.idle() && !bus.busy() && !owner.busy(); }
    void settle() {
        bus.settle();
        owner.settle();
    }
};

extern "C" {

khhw_engine* khhw_create(int nodes, const uint64_t* straps, const int32_t* neighbours, int threads, uint32_t random) {
    try {
        return new khhw_engine{nodes, straps, neighbours, threads, random};
    } catch (const std::exception&) {
        return nullptr;
    }
}

void khhw_destroy(khhw_engine* engine) { delete engine; }

void khhw_reset(khhw_engine* engine, int cycles) {
    engine->torus.reset(cycles);
    engine->told = false;
}

uint64_t khhw_now(const khhw_engine* engine) { return engine->torus.now(); }

int khhw_run(khhw_engine* engine, uint64_t until, int reasons, const khhw_condition* condition) {
    while (engine->torus.now() < until) {
        engine->settle();
        if (condition && khhw::holds(*condition, engine->torus.nodes())) return KHHW_CONDITION;
        const int seen = engine->sample(reasons);
        if (!seen && (reasons & KHHW_IDLE) && engine->idle()) return KHHW_IDLE;
        engine->torus.edge();
        if (seen) return seen | (engine->torus.now() == until ? KHHW_CYCLE : 0);
    }
    return KHHW_CYCLE;
}

void khhw_jump(khhw_engine* engine, uint64_t next) { engine->torus.edge(next); }

const uint8_t* khhw_irq(khhw_engine* engine) { return engine->torus.outputs().irq.data(); }
const uint8_t* khhw_held(khhw_engine* engine) { return engine->torus.outputs().held.data(); }
const uint8_t* khhw_quiescent(khhw_engine* engine) { return engine->torus.outputs().quiescent.data(); }
const uint8_t* khhw_irq_before(khhw_engine* engine) { return engine->irq_before.data(); }
const uint8_t* khhw_held_before(khhw_engine* engine) { return engine->held_before.data(); }
uint8_t* khhw_listening(khhw_engine* engine) { return engine->listening.data(); }

void khhw_access(khhw_engine* engine, int count, const int32_t* ranks, const uint32_t* addresses,
                 const uint32_t* values, int write) {
    for (int i = 0; i < count; ++i) engine->bus.start(ranks[i], addresses[i], write ? values[i] : 0, write);
}

int khhw_answers(const khhw_engine* engine, int32_t* ranks, uint32_t* values, int32_t* errors) {
    int count = 0;
    for (const khhw::Answer& answer : engine->bus.answers()) {
        ranks[count] = answer.rank;
        values[count] = answer.value;
        errors[count++] = answer.error;
    }
    return count;
}

int khhw_access_all(khhw_engine* engine, int count, const int32_t* ranks, uint32_t address, uint32_t* values, int write,
                    uint64_t until) {
    if (engine->bus.busy()) return KHHW_UNDER_WAY;
    std::vector<int> place(engine->torus.nodes(), 0);
    for (int i = 0; i < count; ++i) {
        place[ranks[i]] = i;
        engine->bus.start(ranks[i], address, write ? values[i] : 0, write);
    }
    int refused = 0;
    for (int left = count; left && khhw_run(engine, until, KHHW_ANSWER, nullptr) & KHHW_ANSWER;) {
        for (const khhw::Answer& answer : engine->bus.answers()) {
            if (!write) values[place[answer.rank]] = answer.value;
            refused += answer.error;
            --left;
        }
    }
    return engine->bus.busy() ? -1 : refused;
}

void khhw_send(khhw_engine* engine, const uint64_t* flits, int count, int channel) {
    engine->owner.start(flits, count, channel);
}

int khhw_packet(const khhw_engine* engine, uint64_t* flits, int limit, int* channel) {
    const khhw::TreePacket* packet = engine->owner.arrived();
    if (!packet) return 0;
    *channel = packet->channel;
    const int count = std::min<int>(limit, packet->flits.size());
    std::copy_n(packet->flits.begin(), count, flits);
    return count;
}

int khhw_serve(khhw_engine* engine, const uint64_t* flits, int count, uint64_t* answers, int limit, int patience) {
    if (engine->bus.busy()) return KHHW_UNDER_WAY;
    engine->settle();
    return engine->torus.serve(flits, count, answers, limit, patience);
}

void khhw_peek(khhw_engine* engine, int count, const int32_t* ranks, const uint64_t* addresses, size_t length,
               uint8_t* to) {
    for (int i = 0; i < count; ++i) engine->torus.peek(ranks[i], addresses[i], length, to + i * length);
}

void khhw_poke(khhw_engine* engine, int count, const int32_t* ranks, const uint64_t* addresses, size_t length,
               const uint8_t* from) {
    for (int i = 0; i < count; ++i) engine->torus.poke(ranks[i], addresses[i], length, from + i * length);
}

int khhw_read_name(khhw_engine* engine, int rank, const char* name, size_t row, uint8_t* to, size_t limit) {
    return engine->torus.read_name(rank, name, row, to, limit);
}

void khhw_sign(khhw_engine* engine, int on) { engine->torus.sign_cables(on); }
const uint64_t* khhw_signatures(khhw_engine* engine) { return engine->torus.signatures().data(); }

#ifdef KHHW_WAVES
int khhw_write_waves(khhw_engine* engine, const char* file, const char* name, int count, const int32_t* ranks,
                     uint64_t first, uint64_t end, uint64_t origin) {
    return engine->torus.write_waves(file, name, {{ranks, ranks + count}, first, end, origin});
}

void khhw_close_waves(khhw_engine* engine) {
    engine->settle();
    engine->torus.close_waves();
}
#endif

uint64_t khhw_evaluations(const khhw_engine* engine) { return engine->torus.evaluations(); }
size_t khhw_bytes(const khhw_engine*) { return khhw::Torus::bytes(); }

}  // extern "C"
