/* The engine as C sees it: what khhw/sim/engine/library.py calls. docs/engine.md says when each thing happens. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct khhw_engine khhw_engine;

enum khhw_reason {
    KHHW_CYCLE = 1,      /* the cycle asked for begins */
    KHHW_ANSWER = 2,     /* a register access was answered */
    KHHW_TAKEN = 4,      /* the tree took the last flit of the owner's packet */
    KHHW_PACKET = 8,     /* a packet came out of the root */
    KHHW_INTERRUPT = 16, /* a node that is listened to has its interrupt at 1 */
    KHHW_HELD = 32,      /* the owner holds or released a node */
    KHHW_IDLE = 64,      /* nothing can happen by itself any more */
    KHHW_CONDITION = 128 /* the condition on a vector holds */
};

/* Answer of a call that works on all nodes while accesses of another call are under way. */
#define KHHW_UNDER_WAY (-2)

/* A condition on a vector: its value `equals`, at all ranks with a `mask`, or at any of them. */
typedef struct {
    const uint8_t *vector;
    const uint8_t *mask;
    uint8_t equals;
    uint8_t all; /* all of them, else any */
} khhw_condition;

/* straps: one word a node. neighbours: [nodes][6] ranks, -1 where there is no cable.
   random: 0, or a seed for what has no initial value. Returns NULL if there is no memory for it. */
khhw_engine *khhw_create(int nodes, const uint64_t *straps, const int32_t *neighbours, int threads, uint32_t random);
void khhw_destroy(khhw_engine *engine);
/* To the beginning of cycle 0, with `cycles` clock edges of reset. */
void khhw_reset(khhw_engine *engine, int cycles);
uint64_t khhw_now(const khhw_engine *engine);

/* Run until something of `reasons` happens or cycle `until` begins. What is reported happened in the cycle before the
   one that then begins; but at KHHW_IDLE and KHHW_CONDITION the clock edge has not come yet. */
int khhw_run(khhw_engine *engine, uint64_t until, int reasons, const khhw_condition *condition);
/* The clock edge that ends this cycle; the next one is `next`. Only while idle. */
void khhw_jump(khhw_engine *engine, uint64_t next);

/* Vectors of one byte a node, by rank; `listening` is the caller's to write. */
const uint8_t *khhw_irq(khhw_engine *engine);
const uint8_t *khhw_held(khhw_engine *engine);
const uint8_t *khhw_quiescent(khhw_engine *engine);
uint8_t *khhw_listening(khhw_engine *engine);
/* The vectors in the cycle in which the last KHHW_INTERRUPT or KHHW_HELD happened. */
const uint8_t *khhw_irq_before(khhw_engine *engine);
const uint8_t *khhw_held_before(khhw_engine *engine);

/* Register accesses: one at a time a node. Answers of the last khhw_run by rank. */
void khhw_access(khhw_engine *engine, int count, const int32_t *ranks, const uint32_t *addresses,
                 const uint32_t *values, int write);
int khhw_answers(const khhw_engine *engine, int32_t *ranks, uint32_t *values, int32_t *errors);
/* The same access to many nodes, and all their answers: runs the machine. Returns how many were refused. */
int khhw_access_all(khhw_engine *engine, int count, const int32_t *ranks, uint32_t address, uint32_t *values, int write,
                    uint64_t until);

/* Packets at the port above the root. */
void khhw_send(khhw_engine *engine, const uint64_t *flits, int count, int channel);
int khhw_packet(const khhw_engine *engine, uint64_t *flits, int limit, int *channel);

/* Give every node a tree packet as if from its parent: flit i of rank r is flits[r * count + i]; its answer goes to
   answers[r * limit]. Nothing goes up or down the tree. Returns how many have answered after `patience` cycles. */
int khhw_serve(khhw_engine *engine, const uint64_t *flits, int count, uint64_t *answers, int limit, int patience);

/* Memories. Batches: element i is `length` bytes of node ranks[i] at addresses[i]. */
void khhw_peek(khhw_engine *engine, int count, const int32_t *ranks, const uint64_t *addresses, size_t length,
               uint8_t *to);
void khhw_poke(khhw_engine *engine, int count, const int32_t *ranks, const uint64_t *addresses, size_t length,
               const uint8_t *from);

/* Registers by name, most significant byte first. Returns the number of bits, or -1 if there is no such thing. */
int khhw_read_name(khhw_engine *engine, int rank, const char *name, size_t row, uint8_t *to, size_t limit);

/* Signatures of all links and interrupts (rtl/misr.py), one word a node; computed while on. */
void khhw_sign(khhw_engine *engine, int on);
const uint64_t *khhw_signatures(khhw_engine *engine);

#ifdef KHHW_WAVES
/* Waves of `count` nodes, below a scope `name`, from cycle `first` to the one before `end`, to a file in whose time cycle
   0 is at `origin`. In cycle 0. Returns whether the file can be written. The cycle in which it is closed is the last. */
int khhw_write_waves(khhw_engine *engine, const char *file, const char *name, int count, const int32_t *ranks,
                     uint64_t first, uint64_t end, uint64_t origin);
void khhw_close_waves(khhw_engine *engine);
#endif

/* Cells that were evaluated so far, and bytes of state of one. */
uint64_t khhw_evaluations(const khhw_engine *engine);
size_t khhw_bytes(const khhw_engine *engine);

#ifdef __cplusplus
}
#endif
