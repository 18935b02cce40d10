// A file of waves: signals in scopes, sampled once a cycle, written by Verilator's own writer.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#ifdef KHHW_FST
#include "verilated_fst_c.h"
#else
#include "verilated_vcd_c.h"
#endif

namespace khhw {

#ifdef KHHW_FST
using WaveFile = VerilatedFstC;
using WaveTrace = VerilatedFst;
#else
using WaveFile = VerilatedVcdC;
using WaveTrace = VerilatedVcd;
#endif

// A signal, kept where Verilator would keep one of so many bits. Signals at one place are one signal in the file.
struct WaveSignal {
    std::string name;
    const void* value;
    int bits;
};

struct WaveScope {
    std::string name;
    std::vector<WaveSignal> signals;
    std::vector<WaveScope> inner;
};

class Waves {
  public:
    static constexpr uint64_t kPeriod = 2;  // of the clock in the file's time, half of it each level

    // `clock` is the signal that is the clock.
    Waves(const char* file, WaveScope top, uint8_t& clock);
    ~Waves() { file_.close(); }
    Waves(const Waves&) = delete;
    Waves& operator=(const Waves&) = delete;

    bool is_open() const { return file_.isOpen(); }
    // What signals are in the cycle that begins at `time`.
    void write(uint64_t time);

  private:
    using Buffer = WaveTrace::Buffer;
    struct Place {
        const void* value;
        int bits;
        uint32_t code;
    };

    void number(const WaveScope& scope);
    void declare(WaveTrace* trace, const WaveScope& scope, uint32_t base);
    static void declare_all(void* self, WaveTrace* trace, uint32_t base);
    static void write_all(void* self, Buffer* buffer);
    static void write_changes(void* self, Buffer* buffer);

    const WaveScope top_;
    uint8_t& clock_;
    std::map<const void*, uint32_t> codes_;  // in the order of the first signal there, from 0
    std::vector<Place> places_;
    uint32_t base_ = 0, words_ = 0;
    bool falling_ = false;
    WaveFile file_;
};

}  // namespace khhw
