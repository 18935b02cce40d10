#include "torus_waves.h"

#include <cstddef>
#include <string>
#include <string_view>

#include <torus.h>

namespace khhw {

namespace {

using Root = Vkhhw_cell___024root;

struct NodeSignal {
    const char* name;
    size_t offset;
    int bits;
};

const NodeSignal kNodeSignals[] = {
#include "wave_signals.inc"
};

constexpr int kPayloadBits = kChannelBit + 1;

// Where a signal is. Clock and time are those of the whole machine.
const void* place_of(const NodeSignal& signal, const uint8_t* state, const WaveOutside& outside) {
    const std::string_view name{signal.name};
    if (name == "clk" && signal.bits == 1) return &outside.clk;
    if (name == "now" && signal.bits == 64) return &outside.now;
    return state + signal.offset;
}

WaveScope scope_of(int rank, const uint8_t* state, const WaveOutside& outside) {
    WaveScope node{"node_" + std::to_string(rank), {}, {}};
    for (const NodeSignal& signal : kNodeSignals)
        node.signals.push_back({signal.name, place_of(signal, state, outside), signal.bits});
    return node;
}

void pack(std::vector<uint64_t>& to, const std::vector<uint8_t>& levels) {
    std::fill(to.begin(), to.end(), 0);
    for (size_t rank = 0; rank < levels.size(); ++rank) to[rank / 64] |= uint64_t{levels[rank] != 0} << rank % 64;
}

}  // namespace

bool Torus::write_waves(const char* file, const char* name, WaveWindow window) {
    waves_ = std::make_unique<TorusWaves>();
    waves_->window = std::move(window);
    WaveOutside& outside = waves_->outside;
    const size_t words = (nodes_ + 63) / 64;
    for (auto* vector : {&outside.irq, &outside.held, &outside.quiescent}) vector->assign(words, 0);
    auto& root = root_.ports();
    WaveScope top{name, {
        {"clk", &outside.clk, 1}, {"rst", &outside.rst, 1}, {"now", &outside.now, 64}, {"idle", &outside.idle, 1},
        {"irq", outside.irq.data(), nodes_}, {"held", outside.held.data(), nodes_},
        {"quiescent", outside.quiescent.data(), nodes_},
        {"owner_in__valid", &root.owner_in___05Fvalid, 1}, {"owner_in__ready", &root.owner_in___05Fready, 1},
        {"owner_in__payload", &root.owner_in___05Fpayload, kPayloadBits},
        {"owner_out__valid", &root.owner_out___05Fvalid, 1}, {"owner_out__ready", &root.owner_out___05Fready, 1},
        {"owner_out__payload", &root.owner_out___05Fpayload, kPayloadBits},
    }, {}};
    for (const int rank : waves_->window.ranks) top.inner.push_back(scope_of(rank, state(rank), outside));
    waves_->file = std::make_unique<Waves>(file, std::move(top), outside.clk);
    return waves_->file->is_open();
}

void Torus::show_waves() {
    TorusWaves& waves = *waves_;
    if (!waves.window.holds(now_)) return;
    WaveOutside& outside = waves.outside;
    outside.now = now_;
    pack(outside.irq, outputs_.irq);
    pack(outside.held, outputs_.held);
    pack(outside.quiescent, outputs_.quiescent);
    const auto& quiescent = outputs_.quiescent;
    outside.idle = root_.ports().quiescent && std::find(quiescent.begin(), quiescent.end(), 0) == quiescent.end();
    waves.file->write(waves.window.origin + Waves::kPeriod * waves.steps);
}

void Torus::wake_for_waves(uint64_t next) {
    ++waves_->steps;
    // What sleeps is evaluated all the same: some of what it shows depends on the time.
    if (waves_->window.holds(next))
        for (const int rank : waves_->window.ranks) awake_[rank] = 1;
}

void Torus::close_waves() {
    if (waves_) show_waves();
    waves_.reset();
}

}  // namespace khhw
