#include "tests/sim/network.h"

namespace millrace::sim {

void Network::send(const std::string& from, const std::string& to, const wire::Message& message, const std::optional<std::string>& process) {
    Random& random = world_.random();
    if (!reaches(from, to) || random.chance(weather.lost_permille)) return;
    std::string bytes = wire::encode(message);
    if (random.chance(weather.doubled_permille)) schedule(from, to, process, bytes);
    schedule(from, to, process, std::move(bytes));
}

void Network::schedule(const std::string& from, const std::string& to, const std::optional<std::string>& process, std::string bytes) {
    Random& random = world_.random();
    const milliseconds delay = random.chance(weather.late_permille) ? random.between_ms(0, weather.late_ms_max)
                                                                   : random.between_ms(0, weather.delay_ms_max);
    world_.after(delay, [this, from, to, process, sender = processes_[from], at_from = connections_[from], at_to = connections_[to], bytes = std::move(bytes)] {
        if (!reaches(from, to) || connections_[from] != at_from || connections_[to] != at_to) return;
        if (process && processes_[to] != *process) return;
        auto message = wire::decode(bytes);
        if (!message) throw Broken("a message of our own cannot be decoded: " + message.error().context);
        nodes_.at(to)(from, sender, std::move(*message));
    });
}

}  // namespace millrace::sim
