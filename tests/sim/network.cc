#include "tests/sim/network.h"

namespace millrace::sim {

void Network::send(const std::string& from, const std::string& to, const wire::Message& message) {
    Random& random = world_.random();
    if (!reaches(from, to) || random.chance(weather.lost_permille)) return;
    std::string bytes = wire::encode(message);
    if (random.chance(weather.doubled_permille)) schedule(from, to, bytes);
    schedule(from, to, std::move(bytes));
}

void Network::schedule(const std::string& from, const std::string& to, std::string bytes) {
    Random& random = world_.random();
    const milliseconds delay = random.chance(weather.late_permille) ? random.between_ms(0, weather.late_ms_max)
                                                                   : random.between_ms(0, weather.delay_ms_max);
    world_.after(delay, [this, from, to, at_from = connections_[from], at_to = connections_[to], bytes = std::move(bytes)] {
        if (!reaches(from, to) || connections_[from] != at_from || connections_[to] != at_to) return;
        auto message = wire::decode(bytes);
        if (!message) throw Broken("a message of our own cannot be decoded: " + message.error().context);
        nodes_.at(to)(from, std::move(*message));
    });
}

}  // namespace millrace::sim
