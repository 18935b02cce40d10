// Threads that step through cycles together.
#pragma once

#include <atomic>
#include <functional>
#include <thread>
#include <vector>

#if defined(__x86_64__) || defined(__i386__)
#include <immintrin.h>
#endif

namespace khhw {

// A fixed number of threads, the caller's one of them, that do one piece of work together again and again.
class ThreadPool {
  public:
    explicit ThreadPool(int threads) : size_{threads} {
        try {
            for (int number = 1; number < threads; ++number) threads_.emplace_back([this, number] { serve(number); });
        } catch (...) {
            dismiss();
            throw;
        }
    }
    ~ThreadPool() { dismiss(); }
    ThreadPool(const ThreadPool&) = delete;
    ThreadPool& operator=(const ThreadPool&) = delete;

    int size() const { return size_; }

    // Call work(number) once for each number below size(), and return when all have returned.
    void together(const std::function<void(int)>& work) {
        if (size_ == 1) {
            work(0);
            return;
        }
        work_ = &work;
        left_.store(size_ - 1, std::memory_order_relaxed);
        round_.fetch_add(1);
        if (sleeping_.load()) round_.notify_all();
        work(0);
        for (int turn = 0; left_.load(std::memory_order_acquire); ++turn) relax(turn);
    }

  private:
    // Work lasts microseconds, so waiting is mostly looking; a core that is wanted elsewhere is given up.
    static void relax(int turn) {
        if (turn > 4096) {
            std::this_thread::yield();
            return;
        }
#if defined(__x86_64__) || defined(__i386__)
        _mm_pause();
#endif
    }
    void dismiss() {
        ending_ = true;
        round_.fetch_add(1);
        round_.notify_all();
        for (auto& thread : threads_) thread.join();
    }
    void serve(int number) {
        for (uint64_t seen = 0;;) {
            seen = next_round(seen);
            if (ending_) return;
            (*work_)(number);
            left_.fetch_sub(1, std::memory_order_release);
        }
    }
    uint64_t next_round(uint64_t seen) {
        for (int turn = 0; turn < 1 << 16; ++turn) {
            if (const uint64_t now = round_.load(std::memory_order_acquire); now != seen) return now;
            relax(turn);
        }
        sleeping_.fetch_add(1);
        round_.wait(seen);
        sleeping_.fetch_sub(1);
        return round_.load(std::memory_order_acquire);
    }

    const int size_;
    std::atomic<uint64_t> round_{0};
    std::atomic<int> left_{0};
    std::atomic<int> sleeping_{0};
    std::atomic<bool> ending_{false};
    const std::function<void(int)>* work_ = nullptr;
    std::vector<std::thread> threads_;
};

}  // namespace khhw
