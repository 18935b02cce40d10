#include "node_set.h"

#include <sys/mman.h>

#include <new>
#include <type_traits>

// Arrays: flip-flops, what deferred ones take, by the same numbers, what is fixed, slots behind the first kSlotBias.
extern "C" {
void khhw_show(khhw::Vector*, khhw::Vector*, khhw::Vector*, khhw::Vector*);
void khhw_early(khhw::Vector*, khhw::Vector*, khhw::Vector*, khhw::Vector*);
void khhw_late(khhw::Vector*, khhw::Vector*, khhw::Vector*, khhw::Vector*);
}

namespace khhw {

namespace {

template <class Spec>
using MemoryOf = std::conditional_t<Spec::kSynchronous, DeepMemory<Spec>, FlatMemory<Spec>>;

constexpr size_t kVectors = kFlipFlops + kDeferred + kFixed + kSlots;

// Bytes of the first `count` memories.
template <class... Specs>
constexpr size_t memory_bytes(List<Specs...>, size_t count) {
    constexpr size_t sizes[] = {MemoryOf<Specs>::kBytes...};
    size_t sum = 0;
    for (size_t index = 0; index < count; ++index) sum += (sizes[index] + 63) / 64 * 64;
    return sum;
}
template <class... Specs>
constexpr size_t number_of(List<Specs...>) { return sizeof...(Specs); }

constexpr size_t kRamAt = memory_bytes(Memories{}, kRam);
constexpr size_t kBytes = kVectors * sizeof(Vector) + memory_bytes(Memories{}, number_of(Memories{}));

// Call f(Memory of the spec, where it lies) for all memories.
template <class F, class... Specs>
void each_memory(List<Specs...>, char* memories, F&& f) {
    size_t index = 0;
    (f(MemoryOf<Specs>{}, memories + memory_bytes(Memories{}, index++)), ...);
}

}  // namespace

void NodeSet::Unmap::operator()(char* memory) const { munmap(memory, kBytes); }

size_t NodeSet::bytes() { return kBytes; }

NodeSet::NodeSet() {
    // Memories of lanes without a node are never touched.
    void* mapped = mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (mapped == MAP_FAILED) throw std::bad_alloc{};
    madvise(mapped, kBytes, MADV_HUGEPAGE);
    memory_.reset(static_cast<char*>(mapped));
    Vector* vectors = reinterpret_cast<Vector*>(mapped);
    state_ = {vectors, vectors + kFlipFlops};
    slots_ = state_.fixed + kFixed + kSlotBias;
    Vector* deferred = state_.fixed + kFixed + kSlots;
    next_ = deferred - (kFlipFlops - kDeferred);
    memories_ = reinterpret_cast<char*>(deferred + kDeferred);
    state_.fixed[1] = ones();
    for (size_t index = 1; index < std::size(kInitial); ++index) state_.flip_flops[kInitial[index]] = ones();
    input(kRst[0]) = ones();
    each_memory(Memories{}, memories_, [](auto memory, char* at) { memory.start(at); });
}

void NodeSet::show() { khhw_show(state_.flip_flops, next_, state_.fixed, slots_); }

void NodeSet::evaluate() {
    khhw_early(state_.flip_flops, next_, state_.fixed, slots_);
    each_memory(Memories{}, memories_, [this](auto memory, char* at) { memory.read_at_once(at, state_); });
    khhw_late(state_.flip_flops, next_, state_.fixed, slots_);
    each_memory(Memories{}, memories_, [this](auto memory, char* at) { memory.edge(at, state_); });
    constexpr unsigned first = kFlipFlops - kDeferred;
    std::memcpy(state_.flip_flops + first, next_ + first, kDeferred * sizeof(Vector));
}

void NodeSet::set_now(uint64_t now) {
    for (uint64_t changed = now ^ now_; changed; changed &= changed - 1) {
        const int bit = __builtin_ctzll(changed);
        input(kNow[bit]) = now >> bit & 1 ? ones() : zeros();
    }
    now_ = now;
}

uint64_t* NodeSet::ram(unsigned lane) { return DeepMemory<Ram>::row(memories_ + kRamAt, lane, 0); }

void NodeSet::ram_changed(unsigned lane) {
    Vector lanes = zeros();
    set_bit(lanes, lane, true);
    DeepMemory<Ram>::changed(memories_ + kRamAt, lanes);
}

}  // namespace khhw
