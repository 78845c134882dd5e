#include "runtime/confined_threads.h"

#include <system_error>
#include <thread>

namespace millrace::runtime {
namespace {

// Of this thread alone. Another mount namespace takes a root and a working folder that no other thread shares.
bool enter(const MillraceSandbox& shared) {
    if (::syscall(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) return false;
    if (shared.mounts > 0 && ::unshare(CLONE_FS) < 0) return false;
    if (millrace_enter_namespaces(&shared) != millrace_step_none) return false;
    return shared.calls == nullptr || ::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, shared.calls) == 0;
}

}  // namespace

class ConfinedThreads::Worker {
public:
    explicit Worker(const MillraceSandbox& shared) : thread_([this, shared] { work(shared); }) {}
    ~Worker() {
        hand_over({});
        thread_.join();
    }

    // Whether it is in the sandbox; waits until that is known.
    bool has_entered() {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [this] { return state_ != State::entering; });
        return state_ != State::failed;
    }

    void run(const std::function<void()>& action) {
        hand_over(&action);
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [this] { return state_ == State::idle; });
    }

private:
    enum class State { entering, failed, idle, busy };

    // No action: it ends.
    void hand_over(const std::function<void()>* action) {
        const std::lock_guard lock(mutex_);
        action_ = action;
        state_ = State::busy;
        changed_.notify_all();
    }

    void work(const MillraceSandbox& shared) {
        ::prctl(PR_SET_NAME, "sandboxed");
        const bool has_entered = enter(shared);
        std::unique_lock lock(mutex_);
        if (state_ == State::entering) state_ = has_entered ? State::idle : State::failed;
        changed_.notify_all();
        for (;;) {
            changed_.wait(lock, [this] { return state_ == State::busy; });
            if (action_ == nullptr) return;
            lock.unlock();
            (*action_)();
            lock.lock();
            state_ = State::idle;
            changed_.notify_all();
        }
    }

    std::mutex mutex_;
    std::condition_variable changed_;
    State state_ = State::entering;                 // guarded by mutex_
    const std::function<void()>* action_ = nullptr;  // guarded by mutex_
    std::thread thread_;                            // last: it uses the others
};

ConfinedThreads::ConfinedThreads(const MillraceSandbox& shared, std::size_t most) : shared_(shared), most_(most) {}

ConfinedThreads::~ConfinedThreads() = default;

bool ConfinedThreads::are_in(const MillraceSandbox& sandbox) const {
    return sandbox.mounts == shared_.mounts && sandbox.network == shared_.network && sandbox.calls == shared_.calls;
}

MillraceSandbox ConfinedThreads::left_of(MillraceSandbox sandbox) {
    sandbox.mounts = 0;
    sandbox.network = 0;
    sandbox.calls = nullptr;
    return sandbox;
}

bool ConfinedThreads::run(const std::function<void()>& action) {
    Worker* const worker = take();
    if (worker == nullptr) return false;
    worker->run(action);
    const std::lock_guard lock(mutex_);
    idle_.push_back(worker);
    has_idle_.notify_one();
    return true;
}

ConfinedThreads::Worker* ConfinedThreads::take() {
    std::unique_lock lock(mutex_);
    if (idle_.empty() && workers_.size() < most_) {
        try {
            auto worker = std::make_unique<Worker>(shared_);
            if (!worker->has_entered()) return nullptr;
            workers_.push_back(std::move(worker));
            return workers_.back().get();
        } catch (const std::system_error&) {
            if (workers_.empty()) return nullptr;  // no thread can be had; later, perhaps
        }
    }
    has_idle_.wait(lock, [this] { return !idle_.empty(); });
    Worker* const worker = idle_.back();
    idle_.pop_back();
    return worker;
}

}  // namespace millrace::runtime
