#include "http/peer_counts.h"

#include <gtest/gtest.h>

namespace millrace::http {
namespace {

TEST(PeerCounts, APeerIsAnAddressOrAPrefixOfIPv6) {
    EXPECT_EQ(peer_of("10.0.0.7:51200"), "10.0.0.7");
    EXPECT_EQ(peer_of("unix"), "unix");
    EXPECT_EQ(peer_of("[2001:db8:1:2::3]:51200"), peer_of("[2001:db8:1:2:ffff::4]:80"));
    EXPECT_NE(peer_of("[2001:db8:1:2::3]:51200"), peer_of("[2001:db8:1:3::3]:51200"));
    PeerCounts counts;
    const PeerCounts::Counted first(counts, "a");
    {
        const PeerCounts::Counted second(counts, "a");
        EXPECT_EQ(second.number(), 2u);
    }
    EXPECT_EQ(PeerCounts::Counted(counts, "a").number(), 2u);
    EXPECT_EQ(PeerCounts::Counted(counts, "b").number(), 1u);
}

}  // namespace
}  // namespace millrace::http
