#include "runtime/image_pin.h"

#include <gtest/gtest.h>

namespace millrace::runtime {
namespace {

TEST(ImagePin, TheFirstContentIsTheOnlyOne) {
    ImagePin pin("");
    EXPECT_EQ(pin.id(), "");
    ASSERT_TRUE(pin.admit("tools:latest", "sha256:a"));
    EXPECT_TRUE(pin.admit("tools:latest", "sha256:a"));
    const Result<void> moved = pin.admit("tools:latest", "sha256:b");
    ASSERT_FALSE(moved);
    EXPECT_EQ(moved.error().code, Code::conflict);
    for (const char* word : {"tools:latest", "sha256:a", "sha256:b", "--new-version"}) EXPECT_NE(moved.error().context.find(word), std::string::npos) << word;
    EXPECT_EQ(pin.id(), "sha256:a");
}

TEST(ImagePin, WhatTheClusterAgreedOnIsTheOnlyOne) {
    ImagePin pin("sha256:a");
    EXPECT_FALSE(pin.admit("tools:latest", "sha256:b"));
    EXPECT_TRUE(pin.admit("tools:latest", "sha256:a"));
}

}  // namespace
}  // namespace millrace::runtime
