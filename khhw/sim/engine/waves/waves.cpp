#include "waves.h"

namespace khhw {

namespace {

template <class T>
const T& as(const void* value) {
    return *static_cast<const T*>(value);
}

// Verilator's two ways to write a value, whatever else changed, and if it did.
#define KHHW_WRITE(how)                                                                       \
    template <class Buffer>                                                                   \
    void how##_value(Buffer* to, uint32_t* before, const void* value, int bits) {             \
        if (bits == 1) to->how##Bit(before, as<CData>(value));                                \
        else if (bits <= 8) to->how##CData(before, as<CData>(value), bits);                   \
        else if (bits <= 16) to->how##SData(before, as<SData>(value), bits);                  \
        else if (bits <= 32) to->how##IData(before, as<IData>(value), bits);                  \
        else if (bits <= 64) to->how##QData(before, as<QData>(value), bits);                  \
        else to->how##WData(before, static_cast<const WData*>(value), bits);                  \
    }
KHHW_WRITE(full)
KHHW_WRITE(chg)
#undef KHHW_WRITE

}  // namespace

Waves::Waves(const char* file, WaveScope top, uint8_t& clock) : top_{std::move(top)}, clock_{clock} {
    number(top_);
    file_.set_time_unit("1ns");
    file_.set_time_resolution("1ns");
    WaveTrace* trace = file_.spTrace();
    trace->addInitCb(&declare_all, this, "khhw", false, words_);
    trace->addFullCb(&write_all, 0, this);
    trace->addChgCb(&write_changes, 0, this);
    file_.open(file);
}

void Waves::number(const WaveScope& scope) {
    for (const WaveSignal& signal : scope.signals) {
        if (!codes_.emplace(signal.value, words_).second) continue;
        places_.push_back({signal.value, signal.bits, words_});
        words_ += (signal.bits + 31) / 32;
    }
    for (const WaveScope& inner : scope.inner) number(inner);
}

void Waves::declare_all(void* self, WaveTrace* trace, uint32_t base) {
    Waves& waves = *static_cast<Waves*>(self);
    waves.base_ = base;
    waves.declare(trace, waves.top_, base);
}

void Waves::declare(WaveTrace* trace, const WaveScope& scope, uint32_t base) {
    constexpr auto kNone = VerilatedTraceSigDirection::NONE;
    constexpr auto kWire = VerilatedTraceSigKind::WIRE;
    constexpr auto kLogic = VerilatedTraceSigType::LOGIC;
    VL_TRACE_PUSH_PREFIX(trace, scope.name.c_str(), VerilatedTracePrefixType::SCOPE_MODULE, 0, 0);
    for (const WaveSignal& signal : scope.signals) {
        const uint32_t code = base + codes_.at(signal.value);
        const char* name = signal.name.c_str();
        const int high = signal.bits - 1;
        // Which of these are used depends on the format.
        (void)kNone, (void)kWire, (void)kLogic;
        if (high == 0) {
            VL_TRACE_DECL_BIT(trace, code, 0, name, -1, kNone, kWire, kLogic);
        } else if (high < 32) {
            VL_TRACE_DECL_BUS(trace, code, 0, name, -1, kNone, kWire, kLogic, high, 0);
        } else if (high < 64) {
            VL_TRACE_DECL_QUAD(trace, code, 0, name, -1, kNone, kWire, kLogic, high, 0);
        } else {
            VL_TRACE_DECL_WIDE(trace, code, 0, name, -1, kNone, kWire, kLogic, high, 0);
        }
    }
    for (const WaveScope& inner : scope.inner) declare(trace, inner, base);
    VL_TRACE_POP_PREFIX(trace);
}

void Waves::write_all(void* self, Buffer* buffer) {
    const Waves& waves = *static_cast<Waves*>(self);
    for (const Place& place : waves.places_)
        full_value(buffer, buffer->oldp(waves.base_ + place.code), place.value, place.bits);
}

void Waves::write_changes(void* self, Buffer* buffer) {
    const Waves& waves = *static_cast<Waves*>(self);
    if (waves.falling_) {
        buffer->chgBit(buffer->oldp(waves.base_ + waves.codes_.at(&waves.clock_)), waves.clock_);
        return;
    }
    for (const Place& place : waves.places_)
        chg_value(buffer, buffer->oldp(waves.base_ + place.code), place.value, place.bits);
}

void Waves::write(uint64_t time) {
    clock_ = 1;
    file_.dump(time);
    clock_ = 0;
    falling_ = true;
    file_.dump(time + kPeriod / 2);
    falling_ = false;
}

}  // namespace khhw
