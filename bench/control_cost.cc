// What a status costs on the control plane's sockets, plain and under CURVE: processor time of both ends together, in microseconds per message, of
// interleaved rounds in one process.
//
//     build/release/bench/control_cost --messages 20000 --rounds 9
//
// Prints one JSON document with the medians.
#include <sys/resource.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <future>
#include <string>
#include <vector>

#include "core/check.h"
#include "core/loop.h"
#include "wire/bus.h"

namespace millrace::wire {
namespace {

constexpr auto kPatience = std::chrono::seconds(60);

double cpu_us() {
    rusage usage{};
    ::getrusage(RUSAGE_SELF, &usage);
    const auto us = [](const timeval& time) { return time.tv_sec * 1e6 + static_cast<double>(time.tv_usec); };
    return us(usage.ru_utime) + us(usage.ru_stime);
}

struct Keys {
    NodeKey proxy;
    NodeKey target;
};

// Microseconds per message, of so many that arrived.
double round(Loop& loop, const Keys* keys, std::uint64_t messages) {
    std::promise<void> connected;
    std::promise<void> done;
    bool is_connected = false;  // on the loop only
    RouterBus router(loop.executor(), [&](const std::string&, const Message& message) {
        const std::uint64_t seq = std::get<SliceStatus>(message).seq;
        if (seq == messages) done.set_value();
        if (seq == 0 && !std::exchange(is_connected, true)) connected.set_value();
    });
    const auto allowed = std::make_shared<AllowedKeys>();
    if (keys != nullptr) {
        allowed->set({{"t1", keys->target.public_key}});
        MILLRACE_CHECK(router.protect(keys->proxy, allowed).has_value());
    }
    const auto endpoint = router.bind("tcp://127.0.0.1:0");
    MILLRACE_CHECK(endpoint.has_value());
    DealerBus dealer(loop.executor(), [](const Message&) {});
    if (keys != nullptr) MILLRACE_CHECK(dealer.protect(keys->target, keys->proxy.public_key).has_value());
    MILLRACE_CHECK(dealer.connect(*endpoint, route_of("t1", "b-1")).has_value());
    SliceStatus status;
    status.job = "job-7k2m0q9xw4";
    auto first = connected.get_future();
    const Instant deadline = steady_now() + kPatience;
    do {  // what is sent before there is a connection is lost
        MILLRACE_CHECK(steady_now() < deadline);
        MILLRACE_CHECK(dealer.send(status).has_value());
    } while (first.wait_for(milliseconds(5)) != std::future_status::ready);
    auto last = done.get_future();
    const double before = cpu_us();
    for (std::uint64_t i = 1; i <= messages; ++i) {
        status.seq = i;
        MILLRACE_CHECK(dealer.send(status).has_value());
    }
    MILLRACE_CHECK(last.wait_for(kPatience) == std::future_status::ready);
    const double spent = cpu_us() - before;
    dealer.stop();
    router.stop();
    std::promise<void> flushed;
    loop.post([&flushed] { flushed.set_value(); });
    flushed.get_future().wait();  // what was posted for the receivers above has run
    return spent / static_cast<double>(messages);
}

double median(std::vector<double> values) {
    std::ranges::sort(values);
    return values[values.size() / 2];
}

}  // namespace
}  // namespace millrace::wire

int main(int argc, char** argv) {
    using namespace millrace;
    std::uint64_t messages = 20'000;
    std::uint32_t rounds = 9;
    CLI::App app("What a status costs on the control plane, plain and under CURVE.");
    app.add_option("--messages", messages, "in a round")->check(CLI::Range(1, 90'000))->capture_default_str();
    app.add_option("--rounds", rounds, "of each kind, taken in turns")->check(CLI::Range(1, 1000))->capture_default_str();
    CLI11_PARSE(app, argc, argv);
    char pattern[] = "/tmp/millrace-control-XXXXXX";
    const std::string folder = ::mkdtemp(pattern);
    wire::Keys keys;
    for (const auto& [name, key] : {std::pair{"proxy", &keys.proxy}, std::pair{"target", &keys.target}}) {
        std::filesystem::create_directory(folder + "/" + name);
        *key = wire::open_node_key(folder + "/" + name).value();
    }
    std::filesystem::remove_all(folder);
    Loop loop("bench");
    std::vector<double> plain;
    std::vector<double> secured;
    for (std::uint32_t i = 0; i < rounds; ++i) {
        plain.push_back(wire::round(loop, nullptr, messages));
        secured.push_back(wire::round(loop, &keys, messages));
    }
    std::printf("{\"messages\": %llu, \"rounds\": %u, \"plain_us\": %.2f, \"curve_us\": %.2f}\n", static_cast<unsigned long long>(messages), rounds,
                wire::median(plain), wire::median(secured));
    return 0;
}
