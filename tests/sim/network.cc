#include "tests/sim/network.h"

namespace millrace::sim {
namespace {
const std::string kProxy = "proxy";
}

class Network::ProxyEnd final : public wire::LinkToTargets {
public:
    ProxyEnd(Network& network, std::uint64_t number, Sends sends) : network_(network), number_(number), sends_(std::move(sends)) {}
    ~ProxyEnd() override { stop(); }

    Result<void> send(const std::string& route, const wire::Message& message) override {
        if (network_.proxy_.number != number_) return {};
        sends_(message);
        if (network_.proxy_.number != number_) return {};
        network_.send(kProxy, wire::target_of(route), message, [&network = network_, route](wire::Message arrived) {
            const auto target = network.targets_.find(route);
            if (target != network.targets_.end()) target->second.receive(std::move(arrived));
        });
        return {};
    }
    void stop() override {
        if (network_.proxy_.number == number_) network_.cut_proxy();
    }

private:
    Network& network_;
    const std::uint64_t number_;
    const Sends sends_;
};

class Network::TargetEnd final : public wire::LinkToProxy {
public:
    TargetEnd(Network& network, std::string route, std::uint64_t number, Sends sends)
        : network_(network), route_(std::move(route)), number_(number), sends_(std::move(sends)) {}
    ~TargetEnd() override { stop(); }

    Result<void> send(const wire::Message& message) override {
        if (!is_linked()) return {};
        sends_(message);
        if (!is_linked()) return {};
        network_.send(wire::target_of(route_), kProxy, message, [&network = network_, route = route_](wire::Message arrived) {
            if (network.proxy_.receive) network.proxy_.receive(route, std::move(arrived));
        });
        return {};
    }
    void stop() override {
        if (is_linked()) network_.cut(route_);
    }

private:
    bool is_linked() const {
        const auto found = network_.targets_.find(route_);
        return found != network_.targets_.end() && found->second.number == number_;
    }

    Network& network_;
    const std::string route_;
    const std::uint64_t number_;
    const Sends sends_;
};

std::unique_ptr<wire::LinkToTargets> Network::listen(wire::LinkToTargets::Receive receive, Sends sends) {
    proxy_ = {++links_, std::move(receive)};
    return std::make_unique<ProxyEnd>(*this, links_, std::move(sends));
}

std::unique_ptr<wire::LinkToProxy> Network::connect(const std::string& route, wire::LinkToProxy::Receive receive, Sends sends) {
    targets_[route] = {++links_, std::move(receive)};
    return std::make_unique<TargetEnd>(*this, route, links_, std::move(sends));
}

void Network::send(const std::string& from, const std::string& to, const wire::Message& message, const std::function<void(wire::Message)>& deliver) {
    Random& random = world_.random();
    if (!reaches(from, to) || random.chance(weather.lost_permille)) return;
    const std::string bytes = wire::encode(message);
    const int copies = random.chance(weather.doubled_permille) ? 2 : 1;
    for (int copy = 0; copy < copies; ++copy) {
        const milliseconds delay = random.chance(weather.late_permille) ? random.between_ms(0, weather.late_ms_max)
                                                                       : random.between_ms(0, weather.delay_ms_max);
        world_.after(delay, [this, from, to, at_from = connections_[from], at_to = connections_[to], bytes, deliver] {
            if (!reaches(from, to) || connections_[from] != at_from || connections_[to] != at_to) return;
            auto arrived = wire::decode(bytes);
            if (!arrived) throw Broken("a message of our own cannot be decoded: " + arrived.error().context);
            deliver(std::move(*arrived));
        });
    }
}

}  // namespace millrace::sim
